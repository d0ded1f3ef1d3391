#![allow(unsafe_code, reason = "a job borrows its closure for as long as the caller waits")]

use crate::{Panic, caught};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

/// Turns of a waiting loop before it sleeps: about 1 ms. There is no clock to ask, and in wasm
/// `spin_loop` is no instruction, where natively it is one of 40 to 140 cycles.
const SPINS: u32 = if cfg!(target_arch = "wasm32") { 2_000_000 } else { 20_000 };

/// The closure of the current job; its lifetime is that of the call of `start` … `finish`.
type Job = *const (dyn Fn(usize) + Sync);

/// What the threads share.
///
/// The state is one word: how many jobs there have been, and how many parts the newest has. A
/// thread without a part in a job never looks at the job itself, so the caller need not wait for
/// it.
pub(crate) struct Team {
    threads: usize,
    /// Which indices are serving.
    present: Mutex<Vec<bool>>,
    complete: AtomicBool,
    /// Held by the caller for the length of a job.
    turn: Mutex<()>,
    /// `jobs << 16 | threads taking part`.
    state: AtomicU64,
    job: UnsafeCell<Option<(Job, usize)>>,
    /// Threads (other than the caller) still at work.
    busy: AtomicUsize,
    panic: Mutex<Option<Panic>>,
    resting: AtomicBool,
    over: AtomicBool,
    /// A thread is gone without having lowered `busy`; it never will.
    broken: AtomicBool,
    workers: Bed,
    caller: Bed,
}

// SAFETY: `job` is written by the holder of `turn` while nobody is at work and read only by threads
// that take part in the job (see `serve`); it points to a `Sync` closure.
unsafe impl Sync for Team {}
// SAFETY: as above; the pointer is not tied to a thread.
unsafe impl Send for Team {}

/// The right to give the team a job.
pub(crate) struct Turn<'a> {
    _lock: MutexGuard<'a, ()>,
}

impl Team {
    pub(crate) fn new(threads: usize) -> Self {
        let threads = threads.min(usize::from(u16::MAX));
        let mut present = vec![false; threads];
        present[0] = true;
        Self {
            threads,
            present: Mutex::new(present),
            complete: AtomicBool::new(threads == 1),
            turn: Mutex::new(()),
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            busy: AtomicUsize::new(0),
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

    /// Gives the other threads their parts. The caller must call `finish` before `f` goes away,
    /// whatever happens.
    pub(crate) fn start(&self, _turn: &Turn<'_>, parts: usize, f: &(dyn Fn(usize) + Sync)) {
        let taking_part = parts.min(self.threads);
        // SAFETY: only the lifetime changes; `finish` returns after the last use.
        let job: Job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(f) };
        // SAFETY: the turn is ours and nobody is at work, so nobody reads it.
        unsafe { *self.job.get() = Some((job, parts)) };
        self.busy.store(taking_part - 1, Ordering::Relaxed);
        self.resting.store(false, Ordering::Relaxed);
        let jobs = self.state.load(Ordering::Relaxed) >> 16;
        self.state.store((jobs + 1) << 16 | taking_part as u64, Ordering::SeqCst);
        self.workers.wake();
    }

    /// Waits for the other threads; gives the first panic among them. Panics itself if a thread is
    /// gone, which others still at work may outlive: see [`Team::fail`].
    pub(crate) fn finish(&self, _turn: &Turn<'_>) -> Result<(), Panic> {
        let broken = || self.broken.load(Ordering::SeqCst);
        self.caller.wait(|| self.busy.load(Ordering::SeqCst) == 0 || broken(), || false);
        // A fresh panic, not a passed-on one: only this reaches the panic hook, which tells the host.
        assert!(!broken(), "a thread of the pool crashed");
        lock(&self.panic).take().map_or(Ok(()), Err)
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
        let mut seen = 0;
        loop {
            let changed =
                || self.state.load(Ordering::SeqCst) != seen || self.over.load(Ordering::SeqCst);
            self.workers.wait(changed, || self.resting.load(Ordering::Relaxed));
            let state = self.state.load(Ordering::SeqCst);
            if state == seen {
                return;
            }
            seen = state;
            if (state & 0xffff) as usize <= index {
                continue;
            }
            // SAFETY: this thread is counted in `busy`, so the caller waits in `finish` and neither
            // changes the cell nor lets the closure go before `busy` is lowered below.
            let job = unsafe { *self.job.get() };
            if let Some((job, parts)) = job {
                // SAFETY: as above.
                let f = unsafe { &*job };
                let work = || (index..parts).step_by(self.threads).for_each(f);
                if let Err(panic) = caught(work) {
                    lock(&self.panic).get_or_insert(panic);
                }
            }
            if self.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.caller.wake();
            }
        }
    }

    pub(crate) fn rest(&self) {
        self.resting.store(true, Ordering::Relaxed);
    }

    pub(crate) fn shut_down(&self) {
        // In a job a thread could leave before it has seen its part.
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
