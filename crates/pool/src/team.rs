#![allow(unsafe_code, reason = "a job borrows its closure for as long as the caller waits")]

use crate::{Panic, caught};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

/// Turns of a waiting loop before it sleeps: about 1 ms. There is no clock to ask, and in wasm
/// `spin_loop` is no instruction, where natively it is one of 40 to 140 cycles.
const SPINS: u32 = if cfg!(target_arch = "wasm32") { 2_000_000 } else { 20_000 };

/// The closure of the current job; its lifetime is that of the call of `run`.
type Job = *const (dyn Fn(usize) + Sync);

/// What the threads share.
///
/// A part is claimed by raising the next number in the state. A thread looks at the job only after it
/// has claimed a part of it: until that part has ended the caller waits and the job stays. So a thread
/// that has no processor just now is waited for only if it has a part in hand, and the others do the
/// rest.
pub(crate) struct Team {
    threads: usize,
    /// Which indices are serving.
    present: Mutex<Vec<bool>>,
    complete: AtomicBool,
    /// Held by the caller for the length of a job.
    turn: Mutex<()>,
    /// [`State`] in one word.
    state: AtomicU64,
    job: UnsafeCell<Option<Job>>,
    /// Parts that have not ended.
    left: AtomicUsize,
    panic: Mutex<Option<Panic>>,
    resting: AtomicBool,
    over: AtomicBool,
    /// A thread is gone without having lowered `left`; it never will.
    broken: AtomicBool,
    workers: Bed,
    caller: Bed,
}

/// The newest job's number (it may wrap: a thread that sleeps through 2^32 jobs misses one), how many
/// parts it has, and the next one to be claimed.
#[derive(Clone, Copy)]
struct State {
    job: u32,
    parts: u16,
    next: u16,
}

impl State {
    fn of(word: u64) -> Self {
        Self { job: (word >> 32) as u32, parts: (word >> 16) as u16, next: word as u16 }
    }

    fn word(self) -> u64 {
        u64::from(self.job) << 32 | u64::from(self.parts) << 16 | u64::from(self.next)
    }
}

/// Most parts of a job.
pub(crate) const MAX_PARTS: usize = u16::MAX as usize;

// SAFETY: `job` is written by the holder of `turn` while no part is claimed and read only by threads
// that have claimed one (see `work`); it points to a `Sync` closure.
unsafe impl Sync for Team {}
// SAFETY: as above; the pointer is not tied to a thread.
unsafe impl Send for Team {}

/// The right to give the team a job.
pub(crate) struct Turn<'a> {
    _lock: MutexGuard<'a, ()>,
}

impl Team {
    pub(crate) fn new(threads: usize) -> Self {
        let mut present = vec![false; threads];
        present[0] = true;
        Self {
            threads,
            present: Mutex::new(present),
            complete: AtomicBool::new(threads == 1),
            turn: Mutex::new(()),
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            left: AtomicUsize::new(0),
            panic: Mutex::new(None),
            resting: AtomicBool::new(false),
            over: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            workers: Bed::default(),
            caller: Bed::default(),
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    pub(crate) fn complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// The turn, unless a job is going on or threads are missing.
    pub(crate) fn take_turn(&self) -> Option<Turn<'_>> {
        let lock = match self.turn.try_lock() {
            Ok(lock) => lock,
            Err(TryLockError::Poisoned(lock)) => lock.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        (self.complete() && !self.over.load(Ordering::Acquire)).then_some(Turn { _lock: lock })
    }

    /// Does all parts of a job together with the other threads. Gives the first panic among them.
    /// Panics itself if a thread is gone, which others still at work may outlive: see [`Team::fail`].
    pub(crate) fn run(
        &self,
        _turn: &Turn<'_>,
        parts: u16,
        f: &(dyn Fn(usize) + Sync),
    ) -> Result<(), Panic> {
        // SAFETY: only the lifetime changes; this returns after the last use, panics of parts are
        // caught.
        let job: Job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(f) };
        // SAFETY: the turn is ours and no part is claimed, so nobody reads it.
        unsafe { *self.job.get() = Some(job) };
        self.left.store(parts.into(), Ordering::Relaxed);
        self.resting.store(false, Ordering::Relaxed);
        let number = State::of(self.state.load(Ordering::Relaxed)).job.wrapping_add(1);
        let state = State { job: number, parts, next: 0 };
        self.state.store(state.word(), Ordering::SeqCst);
        self.workers.wake();
        self.work(number);
        let broken = || self.broken.load(Ordering::SeqCst);
        self.caller.wait(|| self.left.load(Ordering::SeqCst) == 0 || broken(), || false);
        // A fresh panic, not a passed-on one: only this reaches the panic hook, which tells the host.
        assert!(!broken(), "a thread of the pool crashed");
        lock(&self.panic).take().map_or(Ok(()), Err)
    }

    /// Does parts of a job while there are any.
    fn work(&self, number: u32) {
        while let Some(part) = self.claim(number) {
            // SAFETY: a part is claimed and has not ended, so the caller waits in `run` and neither
            // changes the cell nor lets the closure go.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job {
                // SAFETY: as above.
                let f = unsafe { &*job };
                if let Err(panic) = caught(|| f(part)) {
                    lock(&self.panic).get_or_insert(panic);
                }
            }
            if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.caller.wake();
            }
        }
    }

    /// The next part of this job; none if all are claimed or another job has begun.
    fn claim(&self, number: u32) -> Option<usize> {
        let next = |word| {
            let state = State::of(word);
            let open = state.job == number && state.next < state.parts;
            open.then(|| State { next: state.next + 1, ..state }.word())
        };
        let claimed = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        claimed.ok().map(|word| State::of(word).next.into())
    }

    /// Says that a thread is gone. The job going on fails, and so does every later one.
    ///
    /// # Safety
    /// As for [`Pool::fail`](crate::Pool::fail).
    pub(crate) unsafe fn fail(&self) {
        self.broken.store(true, Ordering::SeqCst);
        self.caller.wake();
    }

    /// The life of thread `index`.
    pub(crate) fn serve(&self, index: usize) {
        {
            let mut present = lock(&self.present);
            match present.get_mut(index) {
                Some(place) if !*place => *place = true,
                _ => return,
            }
            if present.iter().all(|&here| here) {
                self.complete.store(true, Ordering::Release);
            }
        }
        // The first job begins only when all are present, so this thread has missed none.
        let mut seen = State::of(0).job;
        loop {
            let newest = || State::of(self.state.load(Ordering::SeqCst)).job;
            let changed = || newest() != seen || self.over.load(Ordering::SeqCst);
            self.workers.wait(changed, || self.resting.load(Ordering::Relaxed));
            let number = newest();
            if number == seen {
                return;
            }
            seen = number;
            self.work(number);
        }
    }

    pub(crate) fn rest(&self) {
        self.resting.store(true, Ordering::Relaxed);
    }

    pub(crate) fn shut_down(&self) {
        // A thread that leaves in mid-job would leave its parts to the others.
        let _turn = lock(&self.turn);
        self.over.store(true, Ordering::SeqCst);
        self.workers.wake();
    }
}

/// A place to wait: spinning first, then asleep.
#[derive(Default)]
struct Bed {
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    bell: Condvar,
}

impl Bed {
    /// Returns once `ready`. Goes to sleep early when `tired`.
    ///
    /// Whoever makes `ready` true must do so with a `SeqCst` store and then call `wake`: either it
    /// sees this sleeper, or this sleeper sees the store before it lies down.
    fn wait(&self, ready: impl Fn() -> bool, tired: impl Fn() -> bool) {
        for _ in 0..SPINS {
            if ready() {
                return;
            }
            if tired() {
                break;
            }
            std::hint::spin_loop();
        }
        let mut guard = lock(&self.lock);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !ready() {
            guard = self.bell.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    fn wake(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            // A sleeper between its look and its sleep holds the lock: wait for it.
            drop(lock(&self.lock));
            self.bell.notify_all();
        }
    }
}

/// Nothing that a lock here protects is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
