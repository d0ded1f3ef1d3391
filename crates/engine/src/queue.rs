//! Requests that are answered one after the other, each with one result.

use crate::error::error;
use crate::protocol::{ErrorInfo, Event, RunTimings, Stage};
use std::collections::VecDeque;

/// A sign of life is sent when a request had no event for this long.
const QUIET_MS: f64 = 250.0;

/// Requests in the order they came; the first is under way if it has started.
pub(crate) struct Queue<J> {
    waiting: VecDeque<Waiting<J>>,
}

struct Waiting<J> {
    id: u32,
    job: J,
    arrived: f64,
    started: Option<f64>,
    last_event: f64,
}

impl<J> Queue<J> {
    pub(crate) fn new() -> Self {
        Self { waiting: VecDeque::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn push(&mut self, id: u32, job: J, now: f64) {
        let (arrived, started, last_event) = (now, None, now);
        self.waiting.push_back(Waiting { id, job, arrived, started, last_event });
    }

    /// The one whose turn it is.
    pub(crate) fn first(&mut self, now: f64) -> Option<&mut J> {
        let first = self.waiting.front_mut()?;
        first.started.get_or_insert(now);
        Some(&mut first.job)
    }

    /// Ends a request, if it is there: what is told, and whether it was the first.
    pub(crate) fn abort(&mut self, id: u32) -> Option<(Event, bool)> {
        let at = self.waiting.iter().position(|waiting| waiting.id == id)?;
        self.waiting.remove(at);
        let error = error("ABORTED", "the request was aborted");
        Some((Event::Error { id: Some(id), error }, at == 0))
    }

    /// The ids of all, which are given up.
    pub(crate) fn into_ids(self) -> impl Iterator<Item = u32> {
        self.waiting.into_iter().map(|waiting| waiting.id)
    }

    /// Takes the first, which has ended, with its id and its times.
    pub(crate) fn take(&mut self, now: f64) -> Option<(u32, J, RunTimings)> {
        let Waiting { id, job, arrived, started, .. } = self.waiting.pop_front()?;
        let started = started.unwrap_or(now);
        let timings = RunTimings { queue_ms: started - arrived, run_ms: now - started };
        Some((id, job, timings))
    }

    /// Ends the first.
    pub(crate) fn fail(&mut self, error: ErrorInfo) -> Option<Event> {
        let first = self.waiting.pop_front()?;
        Some(Event::Error { id: Some(first.id), error })
    }

    pub(crate) fn signs_of_life(&mut self, now: f64, events: &mut Vec<Event>) {
        for waiting in &mut self.waiting {
            if now - waiting.last_event >= QUIET_MS {
                waiting.last_event = now;
                let stage = if waiting.started.is_some() { Stage::Run } else { Stage::Queued };
                events.push(Event::Working { id: waiting.id, stage, done: 0, total: None });
            }
        }
    }
}
