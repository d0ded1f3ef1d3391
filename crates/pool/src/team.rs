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

/// A cache line of its own, of the pair that processors fetch at once: what one thread writes while
/// others spin on something else costs a fetch from that thread's core each time.
#[repr(align(128))]
#[derive(Default)]
struct Line<T>(T);

/// What the threads share.
///
/// The parts of a job lie in as many slots as there are threads at work, side by side in each. A part is
/// claimed by raising its slot's count; a thread claims those of its own slot, which no other core
/// looks at meanwhile, and then what is left in the others'. It looks at the job only after it has
/// claimed a part of it: until that part has ended the caller waits and the job stays. So a thread
/// that has no processor just now is waited for only if it has a part in hand, and the others do the
/// rest.
pub(crate) struct Team {
    threads: usize,
    /// Which indices are serving.
    present: Mutex<Vec<bool>>,
    complete: AtomicBool,
    /// Held by the caller for the length of a job. What `ended` is when no job is going on.
    turn: Mutex<usize>,
    post: Line<Post>,
    /// For each thread the job and how many parts of its slot are claimed.
    slots: Box<[Line<AtomicU64>]>,
    /// Parts that ended on other threads than the caller's, of all jobs there were; it may wrap.
    ended: Line<AtomicUsize>,
    panic: Mutex<Option<Panic>>,
    resting: AtomicBool,
    over: AtomicBool,
    /// A thread is gone without having raised `ended`; it never will.
    broken: AtomicBool,
    workers: Bed,
    /// Where the threads sleep that have no part in any job.
    bench: Bed,
    caller: Bed,
}

/// Where the caller puts up a job.
#[derive(Default)]
struct Post {
    /// Its number and how many parts it has.
    state: AtomicU64,
    /// How many threads do it, the first ones. Changes only while the job put up has no parts.
    working: AtomicUsize,
    job: UnsafeCell<Option<Job>>,
}

/// A job's number and a count of parts, in one word.
#[derive(Clone, Copy, PartialEq)]
struct State {
    /// From 1, and never used again: 2^48 are enough for years.
    job: u64,
    parts: u16,
}

impl State {
    fn of(word: u64) -> Self {
        Self { job: word >> 16, parts: word as u16 }
    }

    fn word(self) -> u64 {
        self.job << 16 | u64::from(self.parts)
    }

    fn next(self, parts: u16) -> Self {
        Self { job: self.job + 1, parts }
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
    ended: MutexGuard<'a, usize>,
}

impl Team {
    pub(crate) fn new(threads: usize) -> Self {
        let mut present = vec![false; threads];
        present[0] = true;
        Self {
            threads,
            present: Mutex::new(present),
            complete: AtomicBool::new(threads == 1),
            turn: Mutex::default(),
            post: Line(Post { working: AtomicUsize::new(threads), ..Post::default() }),
            slots: (0..threads).map(|_| Line::default()).collect(),
            ended: Line::default(),
            panic: Mutex::new(None),
            resting: AtomicBool::new(false),
            over: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            workers: Bed::default(),
            bench: Bed::default(),
            caller: Bed::default(),
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// How many of them do the jobs.
    pub(crate) fn working(&self) -> usize {
        self.post.0.working.load(Ordering::SeqCst)
    }

    /// Lets the first `count` threads do the jobs from now on.
    pub(crate) fn set_working(&self, count: usize) {
        let _turn = lock(&self.turn);
        let Post { state, working, .. } = &self.post.0;
        // A job without parts comes between: see `serve`.
        state.store(State::of(state.load(Ordering::Relaxed)).next(0).word(), Ordering::SeqCst);
        working.store(count.clamp(1, self.threads), Ordering::SeqCst);
        self.workers.wake();
        self.bench.wake();
    }

    pub(crate) fn complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// The turn, unless a job is going on or threads are missing.
    pub(crate) fn take_turn(&self) -> Option<Turn<'_>> {
        let ended = match self.turn.try_lock() {
            Ok(lock) => lock,
            Err(TryLockError::Poisoned(lock)) => lock.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        (self.complete() && !self.over.load(Ordering::Acquire)).then_some(Turn { ended })
    }

    /// Does all parts of a job together with the other threads. Gives the first panic among them.
    /// Panics itself if a thread is gone, which others still at work may outlive: see [`Team::fail`].
    pub(crate) fn run(
        &self,
        turn: &mut Turn<'_>,
        parts: u16,
        f: &(dyn Fn(usize) + Sync),
    ) -> Result<(), Panic> {
        // SAFETY: only the lifetime changes; this returns after the last use, panics of parts are
        // caught.
        let job: Job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(f) };
        let Post { state, working, job: place } = &self.post.0;
        // SAFETY: the turn is ours and no part is claimed, so nobody reads it.
        unsafe { *place.get() = Some(job) };
        if self.resting.load(Ordering::Relaxed) {
            self.resting.store(false, Ordering::Relaxed);
        }
        let new = State::of(state.load(Ordering::Relaxed)).next(parts);
        state.store(new.word(), Ordering::SeqCst);
        self.workers.wake();
        let mut here = 0;
        self.work(0, working.load(Ordering::Relaxed), new, |ended| here += ended);
        *turn.ended = turn.ended.wrapping_add(usize::from(parts) - here);
        let all = || self.ended.0.load(Ordering::SeqCst) == *turn.ended;
        let broken = || self.broken.load(Ordering::SeqCst);
        self.caller.wait(|| all() || broken(), || false);
        // A fresh panic, not a passed-on one: only this reaches the panic hook, which tells the host.
        assert!(!broken(), "a thread of the pool crashed");
        lock(&self.panic).take().map_or(Ok(()), Err)
    }

    /// Does parts of a job while there are any, first those of thread `index`. `ended` is told how
    /// many, soon after they have ended. `threads`: how many do this job.
    fn work(&self, index: usize, threads: usize, state: State, mut ended: impl FnMut(usize)) {
        for at in 0..threads {
            let slot = (index + at) % threads;
            let mut count = 0;
            while let Some(part) = self.claim(slot, threads, state) {
                // SAFETY: a part is claimed and has not ended, so the caller waits in `run` and
                // neither changes the cell nor lets the closure go.
                let job = unsafe { *self.post.0.job.get() };
                if let Some(job) = job {
                    // SAFETY: as above.
                    let f = unsafe { &*job };
                    if let Err(panic) = caught(|| f(part)) {
                        lock(&self.panic).get_or_insert(panic);
                    }
                }
                count += 1;
            }
            if count > 0 {
                ended(count);
            }
        }
    }

    /// The next part of a slot; none if all are claimed, as they are when the job is over: then the
    /// slot counts to the end of this job, or is at a later one.
    fn claim(&self, slot: usize, threads: usize, State { job, parts }: State) -> Option<usize> {
        let first = |slot| usize::from(parts) * slot / threads;
        let claimed = |word| match State::of(word) {
            State { job: of, parts } if of == job => Some(parts),
            earlier => (earlier.job < job).then_some(0),
        };
        let next = |word| {
            let parts = claimed(word)?;
            let open = first(slot) + usize::from(parts) < first(slot + 1);
            open.then(|| State { job, parts: parts + 1 }.word())
        };
        let count = &self.slots[slot].0;
        let old = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).ok()?;
        Some(first(slot) + usize::from(claimed(old)?))
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
        let mut seen = State::of(0);
        loop {
            let over = || self.over.load(Ordering::SeqCst);
            self.bench.wait(|| index < self.working() || over(), || true);
            let newest = || State::of(self.post.0.state.load(Ordering::SeqCst));
            let tired = || self.resting.load(Ordering::Relaxed);
            self.workers.wait(|| newest() != seen || over(), tired);
            let state = newest();
            if state == seen {
                return;
            }
            seen = state;
            let threads = self.working();
            // If the job is still the same, so was the number of threads when it was put up, or the job
            // has no parts.
            if newest() != state || index >= threads {
                continue;
            }
            self.work(index, threads, state, |ended| {
                self.ended.0.fetch_add(ended, Ordering::SeqCst);
                self.caller.wake();
            });
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
        self.bench.wake();
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
