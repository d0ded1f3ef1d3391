use crate::error::error;
use crate::job::{Job, Run};
use crate::profile::Recording;
use crate::protocol::{
    ErrorInfo, Event, FinishReason, GenerateOptions, Generated, MemoryPlan, Metrics, ModelInfo,
    Outcome, Profile, Prompt, Segment, Timings, Usage,
};
use crate::text::{Conversation, Delta, Text, TextInfo};
use serde_json::json;
use sidestage_formats::huggingface::GenerationDefaults;
use sidestage_lm::{
    Decoder, LmError, MAX_ROWS, Progress, Row, RowInput, Sampler, Sampling, Sequence, Wants,
};
use sidestage_pool::Pool;
use std::collections::VecDeque;

/// A sign of life is sent when a request had no event for this long.
const QUIET_MS: f64 = 250.0;

/// No token of a real vocabulary has more bytes.
const LONGEST_TOKEN: usize = 512;

/// A loaded model and the requests for it.
pub(crate) struct Session {
    pub(crate) info: ModelInfo,
    pub(crate) decoder: Decoder,
    pub(crate) text: Option<TextInfo>,
    /// What the model's makers recommend, where a request says nothing.
    defaults: GenerationDefaults,
    pub(crate) jobs: VecDeque<Job>,
    /// The job whose step is under way and the rows of that step.
    step: Option<(u32, usize)>,
    rows: Vec<Row>,
    /// The conversation kept for its prefix, by its tokens.
    held: Option<(Sequence, Vec<u32>)>,
    pub(crate) metrics: Metrics,
    recording: Option<Recording>,
}

impl Session {
    pub(crate) fn new(
        info: ModelInfo,
        decoder: Decoder,
        mut text: Option<TextInfo>,
        defaults: GenerationDefaults,
    ) -> Self {
        if let Some(text) = &mut text {
            text.end_tokens.extend(&defaults.eos);
        }
        Self {
            info,
            decoder,
            text,
            defaults,
            jobs: VecDeque::new(),
            step: None,
            rows: Vec::with_capacity(MAX_ROWS),
            held: None,
            metrics: Metrics::default(),
            recording: None,
        }
    }

    /// Checks a request to generate and queues it.
    pub(crate) fn generate(
        &mut self,
        text: &mut impl Text,
        id: u32,
        prompt: Prompt,
        mut options: GenerateOptions,
        credits: Option<u32>,
        now: f64,
    ) -> Result<(), ErrorInfo> {
        let vocab_size = self.decoder.vocab_size();
        let sampling = sampling(&options, &self.defaults, now, id);
        sampling.check(vocab_size)?;
        if let Some(&token) = options.stop_tokens.iter().find(|id| **id as usize >= vocab_size) {
            let message = format!("stopTokens: {token} is not a token of this model's vocabulary");
            return Err(error("INVALID_OPTION", message)
                .with("option", "stopTokens")
                .with("value", token));
        }
        options.stop_sequences.retain(|stop| !stop.is_empty());
        if !options.stop_sequences.is_empty() {
            self.need_text()?;
        }
        let (prompt, in_reasoning) = self.tokens(text, prompt, &mut options)?;
        let context = self.decoder.context_length();
        if prompt.is_empty() {
            return Err(error("PROMPT_EMPTY", "the prompt has no tokens"));
        }
        if let Some(&token) = prompt.iter().find(|token| **token as usize >= vocab_size) {
            let message = format!("the token {token} is not in the vocabulary of {vocab_size}");
            return Err(error("PROMPT_INVALID", message).with("token", token));
        }
        let wanted = options.max_tokens.map_or(usize::MAX, |tokens| tokens as usize);
        // The last token of an answer needs no place in the cache.
        if prompt.len() > context || (prompt.len() == context && wanted > 1) {
            let message = format!("the prompt has {} tokens, the context {context}", prompt.len());
            return Err(error("CONTEXT_LENGTH_EXCEEDED", message)
                .hint("Shorten the prompt or load the model with a larger contextLength.")
                .with("promptTokens", prompt.len())
                .with("contextLength", context));
        }
        let stream = match self.text {
            Some(_) => Some(text.open_stream(&options.stop_sequences, in_reasoning)?),
            None => None,
        };
        self.jobs.push_back(Job {
            id,
            sampler: Sampler::new(sampling, &prompt, vocab_size),
            // Nothing is sent without `stream`, so nothing has to be granted.
            credits: credits.filter(|_| options.stream).map(u64::from),
            max_tokens: wanted.min(context + 1 - prompt.len()),
            prompt,
            options,
            stream,
            run: None,
            text: String::new(),
            reasoning: String::new(),
            tokens: Vec::new(),
            end: None,
            arrived: now,
            last_event: now,
        });
        Ok(())
    }

    /// A prompt's tokens, and whether it leaves the model's reasoning open.
    fn tokens(
        &self,
        text: &mut impl Text,
        prompt: Prompt,
        options: &mut GenerateOptions,
    ) -> Result<(Vec<u32>, bool), ErrorInfo> {
        let templated = self.text.as_ref().is_some_and(|text| text.has_chat_template);
        let messages = match prompt {
            Prompt::Messages { messages } => messages,
            Prompt::Segments { segments, raw } => {
                let plain = segments.iter().map(|segment| match segment {
                    Segment::Text { text } => Some(text.as_str()),
                    Segment::Ids { .. } => None,
                });
                match plain.collect::<Option<String>>() {
                    Some(content) if templated && !raw => {
                        json!([{ "role": "user", "content": content }])
                    }
                    _ => return self.raw_tokens(text, segments),
                }
            }
        };
        self.need_text()?;
        let (tools, options) = (options.tools.take(), options.chat_template_options.take());
        let rendered = text.render(Conversation { messages, tools, options }, true)?;
        self.check_length(rendered.len())?;
        let in_reasoning = rendered.trim_end().ends_with("<think>");
        Ok((text.encode(&rendered, false, true)?, in_reasoning))
    }

    fn raw_tokens(
        &self,
        text: &mut impl Text,
        segments: Vec<Segment>,
    ) -> Result<(Vec<u32>, bool), ErrorInfo> {
        let mut tokens = Vec::new();
        for (index, segment) in segments.into_iter().enumerate() {
            match segment {
                Segment::Text { text: part } => {
                    self.need_text()?;
                    self.check_length(part.len())?;
                    // Begin tokens belong before the first segment only.
                    tokens.extend(text.encode(&part, index == 0, true)?);
                }
                Segment::Ids { ids } => tokens.extend(ids),
            }
        }
        Ok((tokens, false))
    }

    /// That a text may fit the context at all: encoding is not done in slices, so what is far too
    /// long is refused before it.
    fn check_length(&self, bytes: usize) -> Result<(), ErrorInfo> {
        let context = self.decoder.context_length();
        if bytes <= context.saturating_mul(LONGEST_TOKEN) {
            return Ok(());
        }
        let message = format!("the prompt has {bytes} bytes, too many for a context of {context}");
        Err(error("CONTEXT_LENGTH_EXCEEDED", message)
            .hint("Shorten the prompt.")
            .with("promptBytes", bytes)
            .with("contextLength", context))
    }

    /// That the model has a vocabulary.
    pub(crate) fn need_text(&self) -> Result<(), ErrorInfo> {
        match self.text {
            Some(_) => Ok(()),
            None => Err(error("TOKENIZER_MISSING", "the model has no tokenizer").hint(
                "Give token ids, or a GGUF file with a vocabulary, or a model with tokenizer.json.",
            )),
        }
    }

    pub(crate) fn credit(&mut self, id: u32, count: u32) {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id)
            && let Some(credits) = &mut job.credits
        {
            *credits += u64::from(count);
        }
    }

    /// Marks a job to be ended as aborted.
    pub(crate) fn abort(&mut self, id: u32) {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
            // An answer that has come to its end keeps its reason.
            job.end.get_or_insert(FinishReason::Abort);
        }
    }

    /// Works until `late` says so. Whether there is more to do at once.
    pub(crate) fn run(
        &mut self,
        text: &mut impl Text,
        pool: &Pool,
        now: &dyn Fn() -> f64,
        late: &mut dyn FnMut() -> bool,
        events: &mut Vec<Event>,
    ) -> bool {
        loop {
            self.end_marked(text, now(), events);
            self.signs_of_life(now(), events);
            if self.step.is_none() && !self.begin(text, now(), events) {
                pool.rest();
                return false;
            }
            if self.step.is_some() {
                let before = now();
                let progress = self.resume(pool, now, late);
                self.spend(now() - before);
                if progress == Progress::Stopped {
                    return true;
                }
                self.finish_step(text, now(), events);
            }
            if late() {
                return true;
            }
        }
    }

    /// Goes on with the step under way.
    fn resume(
        &mut self,
        pool: &Pool,
        now: &dyn Fn() -> f64,
        late: &mut dyn FnMut() -> bool,
    ) -> Progress {
        let Some(recording) = &mut self.recording else { return self.decoder.resume(pool, late) };
        let its = |job: &&Job| self.step.is_some_and(|(id, _)| job.id == id);
        let run = self.jobs.iter().find(its).and_then(|job| job.run.as_ref());
        let prompt = run.is_none_or(|run| run.first_token.is_none());
        recording.resume(prompt, &mut self.decoder, pool, late, now)
    }

    /// Records where the time goes, from now on, or ends that. Gives what was recorded so far.
    pub(crate) fn record(&mut self, on: bool) -> Option<Profile> {
        let new = on.then(|| Recording::new(&self.decoder));
        let old = std::mem::replace(&mut self.recording, new);
        on.then(|| old.map_or_else(Profile::default, |old| old.profile()))
    }

    /// Counts the milliseconds of a slice of the step under way.
    fn spend(&mut self, ms: f64) {
        let Some((id, _)) = self.step else { return };
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) else { return };
        let Some(run) = &mut job.run else { return };
        if run.first_token.is_none() {
            run.prefill_ms += ms;
            self.metrics.prefill_ms += ms;
        } else {
            run.decode_ms += ms;
            self.metrics.decode_ms += ms;
        }
    }

    /// Starts a step of the first job that can go on. Whether anything was done.
    fn begin(&mut self, text: &mut impl Text, now: f64, events: &mut Vec<Event>) -> bool {
        let Some(index) = self.jobs.iter().position(Job::is_runnable) else { return false };
        self.start(index, now);
        let job = &mut self.jobs[index];
        let Some(run) = &job.run else { return false };
        let (from, to) = (run.evaluated, job.len().min(run.evaluated + MAX_ROWS));
        self.rows.clear();
        for position in from..to {
            let last = position + 1 == job.len();
            self.rows.push(Row {
                sequence: run.sequence,
                position: position as u32,
                input: RowInput::Token(job.token(position).unwrap_or(0)),
                wants: if last { Wants::Output } else { Wants::Nothing },
            });
        }
        let id = job.id;
        loop {
            match self.decoder.begin(&self.rows) {
                Ok(()) => self.step = Some((id, to)),
                Err(LmError::Cache(_) | LmError::Refused { .. }) if self.make_way(index) => {
                    continue;
                }
                Err(error) => self.fail(text, index, error.into(), events),
            }
            return true;
        }
    }

    /// Frees pages of the cache for the next step of a job: those of the conversation held, else
    /// those of the job that came last, whose positions are evaluated again in its turn. False:
    /// there are none. One conversation always has room, so a job that waits for its page to grant
    /// credits never keeps the others from going on.
    fn make_way(&mut self, index: usize) -> bool {
        let cache = self.decoder.cache();
        if let Some((held, _)) = self.held.take() {
            cache.remove(held);
            return true;
        }
        let others = self.jobs.iter_mut().enumerate().rev().filter(|(at, _)| *at != index);
        let mut runs = others.filter_map(|(_, job)| job.run.as_mut());
        let Some(run) = runs.find(|run| run.evaluated > 0) else { return false };
        cache.truncate(run.sequence, 0);
        run.evaluated = 0;
        true
    }

    /// Gives a job its sequence if it has none.
    fn start(&mut self, index: usize, now: f64) {
        if self.jobs[index].run.is_some() {
            return;
        }
        let job = &self.jobs[index];
        let reuse = job.options.cache_prompt != Some(false);
        let common = match &self.held {
            Some((_, tokens)) if reuse => {
                let same = tokens.iter().zip(&job.prompt).take_while(|(a, b)| a == b).count();
                // The last token is evaluated again for its logits.
                same.min(job.prompt.len() - 1)
            }
            _ => 0,
        };
        let cache = self.decoder.cache();
        let sequence = match self.held.take() {
            Some((sequence, _)) => {
                cache.truncate(sequence, common);
                sequence
            }
            None => cache.create(),
        };
        self.metrics.cached_tokens += common as u64;
        self.jobs[index].run = Some(Run {
            sequence,
            evaluated: common,
            cached: common,
            started: now,
            first_token: None,
            prefill_ms: 0.0,
            decode_ms: 0.0,
        });
    }

    /// Takes the results of a step that is done.
    fn finish_step(&mut self, text: &mut impl Text, now: f64, events: &mut Vec<Event>) {
        let Some((id, evaluated)) = self.step.take() else { return };
        let Some(index) = self.jobs.iter().position(|job| job.id == id) else { return };
        let end_tokens = self.text.as_ref().map_or(&[][..], |text| &text.end_tokens);
        let job = &mut self.jobs[index];
        let known = job.len();
        let Some(run) = &mut job.run else { return };
        if run.evaluated < job.prompt.len() {
            self.metrics.prompt_tokens += (evaluated.min(job.prompt.len()) - run.evaluated) as u64;
        }
        run.evaluated = evaluated;
        if evaluated < known {
            return;
        }
        run.first_token.get_or_insert(now);
        if job.max_tokens == 0 {
            job.end = Some(FinishReason::Length);
            return;
        }
        let token = job.sampler.sample(self.decoder.logits_mut(0), None);
        self.metrics.completion_tokens += 1;
        let ends = (end_tokens.contains(&token) && !job.options.ignore_eos)
            || job.options.stop_tokens.contains(&token);
        if ends {
            job.end = Some(FinishReason::Stop);
            job.tokens.push(token);
            return;
        }
        job.tokens.push(token);
        if let Some(credits) = &mut job.credits {
            *credits = credits.saturating_sub(1);
        }
        let delta = match job.stream.map(|stream| text.push(stream, token)) {
            Some(Ok(delta)) => delta,
            Some(Err(error)) => return self.fail(text, index, error, events),
            // Without a vocabulary the page still learns how far the answer is.
            None => Delta::default(),
        };
        if delta.stopped {
            job.end = Some(FinishReason::Stop);
        }
        job.write(&delta, 1, now, events);
        if job.end.is_none() && job.tokens.len() >= job.max_tokens {
            job.end = Some(FinishReason::Length);
        }
    }

    /// Ends the jobs that are marked.
    fn end_marked(&mut self, text: &mut impl Text, now: f64, events: &mut Vec<Event>) {
        while let Some(index) = self.jobs.iter().position(|job| job.end.is_some()) {
            let Some(mut job) = self.take(index) else { return };
            if let Some(stream) = job.stream.take()
                && let Ok(delta) = text.finish(stream)
            {
                job.write(&delta, 0, now, events);
            }
            let outcome = Outcome::Generated { result: self.result(&job, now) };
            events.push(Event::Done { id: job.id, outcome });
        }
    }

    fn fail(
        &mut self,
        text: &mut impl Text,
        index: usize,
        error: ErrorInfo,
        events: &mut Vec<Event>,
    ) {
        let Some(job) = self.take(index) else { return };
        if let Some(stream) = job.stream {
            // The stream is dropped; what it held back belongs to an answer that failed.
            let _ = text.finish(stream);
        }
        events.push(Event::Error { id: Some(job.id), error });
    }

    /// Takes a job out of the queue and keeps its conversation for the next one.
    fn take(&mut self, index: usize) -> Option<Job> {
        let job = self.jobs.remove(index)?;
        if self.step.is_some_and(|(id, _)| id == job.id) {
            self.step = None;
        }
        self.metrics.requests += 1;
        if let Some(run) = &job.run {
            if let Some((older, _)) = self.held.take() {
                self.decoder.cache().remove(older);
            }
            self.decoder.cache().truncate(run.sequence, run.evaluated);
            let tokens = (0..run.evaluated).map_while(|position| job.token(position)).collect();
            self.held = Some((run.sequence, tokens));
        }
        Some(job)
    }

    fn result(&self, job: &Job, now: f64) -> Generated {
        let finish_reason = job.end.unwrap_or_default();
        let end_tokens = self.text.as_ref().map_or(&[][..], |text| &text.end_tokens);
        let mut tokens = job.tokens.clone();
        let ends = |token: &u32| {
            (end_tokens.contains(token) && !job.options.ignore_eos)
                || job.options.stop_tokens.contains(token)
        };
        if finish_reason == FinishReason::Stop && tokens.last().is_some_and(ends) {
            tokens.pop();
        }
        let run = job.run.as_ref();
        let (prompt, answer) = (job.prompt.len() as u32, job.tokens.len() as u32);
        let started = run.map_or(now, |run| run.started);
        let first = run.and_then(|run| run.first_token);
        let rate =
            |tokens: usize, ms: f64| (tokens > 0 && ms > 0.0).then(|| tokens as f64 / ms * 1000.0);
        let fresh = run.map_or(0, |run| job.prompt.len() - run.cached);
        Generated {
            text: job.text.clone(),
            reasoning: (!job.reasoning.is_empty()).then(|| job.reasoning.clone()),
            tokens,
            finish_reason,
            usage: Usage {
                prompt_tokens: prompt,
                completion_tokens: answer,
                total_tokens: prompt + answer,
                cached_tokens: run.map_or(0, |run| run.cached as u32),
            },
            timings: Timings {
                load_ms: self.info.load_ms,
                queue_ms: started - job.arrived,
                time_to_first_token_ms: first.unwrap_or(now) - job.arrived,
                prefill_tokens_per_second: first
                    .and(run)
                    .and_then(|run| rate(fresh, run.prefill_ms)),
                decode_tokens_per_second: run
                    .and_then(|run| rate(job.tokens.len().saturating_sub(1), run.decode_ms)),
            },
        }
    }

    fn signs_of_life(&mut self, now: f64, events: &mut Vec<Event>) {
        for job in &mut self.jobs {
            if now - job.last_event >= QUIET_MS {
                job.last_event = now;
                let (stage, done, total) = job.stage();
                events.push(Event::Working { id: job.id, stage, done, total });
            }
        }
    }

    /// The memory taken now.
    pub(crate) fn memory(&self) -> MemoryPlan {
        let kv_cache = self.decoder.cache_bytes() as u64;
        let MemoryPlan { weights, scratch, .. } = self.info.memory;
        MemoryPlan { weights, kv_cache, scratch, total: weights + kv_cache + scratch }
    }
}

impl Job {
    /// Adds certain text to the answer and tells the page.
    fn write(&mut self, delta: &Delta, tokens: u32, now: f64, events: &mut Vec<Event>) {
        self.text.push_str(&delta.text);
        self.reasoning.push_str(&delta.reasoning);
        let silent = delta.text.is_empty() && delta.reasoning.is_empty() && tokens == 0;
        if self.options.stream && !silent {
            self.last_event = now;
            events.push(Event::Delta {
                id: self.id,
                text: delta.text.clone(),
                reasoning: delta.reasoning.clone(),
                tokens,
            });
        }
    }
}

/// The sampler's options; a seed that was not given comes from the clock, and from the request's id
/// where the clock stands still.
fn sampling(options: &GenerateOptions, model: &GenerationDefaults, now: f64, id: u32) -> Sampling {
    let default = Sampling::default();
    let likeliest = model.do_sample == Some(false);
    let temperature = if likeliest { Some(0.0) } else { model.temperature };
    let penalty = options.repetition_penalty.or(model.repetition_penalty.filter(|of| *of > 0.0));
    Sampling {
        temperature: options.temperature.or(temperature).unwrap_or(default.temperature),
        top_k: options.top_k.or(model.top_k).unwrap_or(default.top_k),
        top_p: options
            .top_p
            .or(model.top_p.filter(|p| *p > 0.0 && *p <= 1.0))
            .unwrap_or(default.top_p),
        min_p: options.min_p.or(model.min_p.filter(|p| *p <= 1.0)).unwrap_or(default.min_p),
        repetition_penalty: penalty.unwrap_or(default.repetition_penalty),
        frequency_penalty: options.frequency_penalty.unwrap_or(default.frequency_penalty),
        presence_penalty: options.presence_penalty.unwrap_or(default.presence_penalty),
        logit_bias: options.logit_bias.clone(),
        seed: options.seed.unwrap_or(now.to_bits() ^ u64::from(id).rotate_left(32)),
    }
}
