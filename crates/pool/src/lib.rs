//! The thread pool: a fixed team of threads and a barrier that spins before it sleeps.
//!
//! One token is some two hundred short parallel jobs. Waking a sleeping thread costs 16 to 28 µs,
//! a spinning one answers in 0.25 µs, so threads spin for about a millisecond inside a token and
//! sleep between tokens ([`Pool::rest`]).
//!
//! In the browser the host starts the Web Workers; each calls [`worker_main`]. Natively
//! [`Pool::native`] starts threads, and is the only place in the project that does.

mod team;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use team::{MAX_PARTS, Team};

/// A fixed team of threads; the caller of [`Pool::run`] is thread 0.
pub struct Pool {
    team: Arc<Team>,
    #[cfg(not(target_arch = "wasm32"))]
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Pool {
    /// A pool of one thread, the caller.
    pub fn inline() -> Self {
        Self::external(1)
    }

    /// A pool whose other `threads - 1` threads are brought by the host: each calls
    /// [`worker_main`]. Until all of them have, [`Pool::run`] does the whole work on the caller.
    pub fn external(threads: usize) -> Self {
        Self {
            team: Arc::new(Team::new(threads.max(1))),
            #[cfg(not(target_arch = "wasm32"))]
            threads: Vec::new(),
        }
    }

    /// A pool of `threads` threads, of which it starts all but one. They are joined on drop.
    ///
    /// Where the system refuses a thread the pool works on the caller alone.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn native(threads: usize) -> Self {
        let mut pool = Self::external(threads);
        for index in 1..pool.team.threads() {
            let team = Arc::clone(&pool.team);
            let name = format!("sidestage-pool-{index}");
            match std::thread::Builder::new().name(name).spawn(move || team.serve(index)) {
                Ok(thread) => pool.threads.push(thread),
                Err(_) => break,
            }
        }
        pool
    }

    /// Threads in the pool, the caller included.
    pub fn size(&self) -> usize {
        self.team.threads()
    }

    /// Those of them that work: all, unless [`Pool::set_threads`] said otherwise.
    pub fn threads(&self) -> usize {
        self.team.working()
    }

    /// Lets `count` threads work, at least one and at most all, after the job going on, if any. The
    /// others sleep. Not to be called from inside a part, which it would wait for.
    pub fn set_threads(&self, count: usize) {
        self.team.set_working(count);
    }

    /// Whether every thread of the pool has come.
    pub fn ready(&self) -> bool {
        self.team.complete()
    }

    /// Calls `f(0)`, …, `f(parts - 1)`, each exactly once, and returns when all have returned.
    ///
    /// Each thread has as many parts, one beside the other and the same ones in every job, and when it
    /// has done them takes from those that others have not begun: several parts a thread even out threads
    /// that run at different speeds or have no processor at the moment. A call from inside a part, or
    /// while another thread's call is going on, does all parts on its own thread.
    ///
    /// # Panics
    /// If a part panics, after all parts have ended; if a thread is gone ([`Pool::fail`]), at once.
    pub fn run(&self, parts: usize, f: &(dyn Fn(usize) + Sync)) {
        let all = || (0..parts).for_each(f);
        if !(2..=MAX_PARTS).contains(&parts) || self.team.working() == 1 {
            return all();
        }
        let Some(mut turn) = self.team.take_turn() else { return all() };
        let result = self.team.run(&mut turn, parts as u16, f);
        drop(turn);
        if let Err(panic) = result {
            resume_unwind(panic);
        }
    }

    /// Lets the threads go to sleep now: call it after a token, when no further job is due soon.
    pub fn rest(&self) {
        self.team.rest();
    }

    /// Says that a thread of the pool is gone and will never end its part, as after a trap in wasm. The
    /// [`Pool::run`] going on panics instead of waiting for ever, and so does every later one.
    ///
    /// # Safety
    /// That panic leaves other threads at their parts. So it must end the program (wasm: the instance),
    /// or whatever the closures of those calls borrow must outlive all threads.
    #[allow(unsafe_code, reason = "who calls it must know what its panic unwinds past")]
    pub unsafe fn fail(&self) {
        // SAFETY: the caller vouches for the same.
        unsafe { self.team.fail() }
    }

    /// Ends the threads after the job going on, if any; later jobs run on the caller. Not to be called
    /// from inside a part, which it would wait for.
    pub fn shut_down(&self) {
        self.team.shut_down();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.team.shut_down();
        #[cfg(not(target_arch = "wasm32"))]
        for thread in self.threads.drain(..) {
            // A thread catches the panics of its parts, so there is nothing to learn from it.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} of {})", self.threads(), self.size())
    }
}

/// Serves as thread `index` (1..threads) of a pool made by [`Pool::external`] until it is shut
/// down. An index out of range, or one already taken, returns at once.
pub fn worker_main(pool: &Pool, index: usize) {
    pool.team.serve(index);
}

/// What a panicking part leaves behind.
type Panic = Box<dyn Any + Send>;

/// Calls a part and keeps its panic.
fn caught(f: impl FnOnce()) -> Result<(), Panic> {
    catch_unwind(AssertUnwindSafe(f))
}
