//! What the pool promises, seen from outside.
#![allow(unsafe_code, reason = "a lost thread is played by one that never ends")]

use sidestage_pool::{Pool, worker_main};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread::ThreadId;

/// Runs `parts` and checks that each was called once; gives the thread of each.
fn each_once(pool: &Pool, parts: usize) -> Vec<ThreadId> {
    let calls: Vec<Mutex<Vec<ThreadId>>> = (0..parts).map(|_| Mutex::default()).collect();
    pool.run(parts, &|part| calls[part].lock().unwrap().push(std::thread::current().id()));
    calls
        .into_iter()
        .map(|call| {
            let threads = call.into_inner().unwrap();
            assert_eq!(threads.len(), 1);
            threads[0]
        })
        .collect()
}

fn wait_for(pool: &Pool) {
    while !pool.ready() {
        std::thread::yield_now();
    }
}

#[test]
fn each_part_is_called_once_and_the_threads_share_them() {
    for threads in [1, 2, 3, 5] {
        let pool = Pool::native(threads);
        wait_for(&pool);
        assert_eq!(pool.threads(), threads);
        for parts in 0..12 {
            each_once(&pool, parts);
        }
        let all_here = Barrier::new(threads);
        pool.run(threads, &|_| {
            all_here.wait();
        });
    }
}

#[test]
fn a_thread_that_is_held_up_is_left_behind() {
    let pool = Pool::native(2);
    wait_for(&pool);
    let here = std::thread::current().id();
    let (done, on_others) = (AtomicUsize::new(0), AtomicUsize::new(0));
    pool.run(16, &|_| {
        if std::thread::current().id() != here {
            // Goes on when the caller has done all but this.
            on_others.fetch_add(1, Ordering::SeqCst);
            while done.load(Ordering::SeqCst) < 15 {
                std::thread::yield_now();
            }
        } else {
            while on_others.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
        }
        done.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!((done.into_inner(), on_others.into_inner()), (16, 1));
}

#[test]
fn many_quick_runs_of_different_widths_lose_nothing() {
    let pool = Pool::native(3);
    let sum = AtomicUsize::new(0);
    let mut expected = 0;
    for round in 0..5_000 {
        let parts = round % 5;
        pool.run(parts, &|part| {
            sum.fetch_add(part + 1, Ordering::Relaxed);
        });
        expected += parts * (parts + 1) / 2;
        assert_eq!(sum.load(Ordering::Relaxed), expected, "a part outlived its job");
    }
}

#[test]
fn more_threads_than_processors_lose_nothing() {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let pool = Pool::native(4 * cores);
    wait_for(&pool);
    let sum = AtomicUsize::new(0);
    for round in 1..=300 {
        // Fewer parts than threads, as many, and more.
        let parts = round % (12 * cores);
        pool.run(parts, &|part| {
            sum.fetch_add(part + 1, Ordering::Relaxed);
        });
        assert_eq!(sum.swap(0, Ordering::Relaxed), parts * (parts + 1) / 2);
    }
}

/// Whether each of this process's threads of that name sleeps.
#[cfg(target_os = "linux")]
fn asleep(name: &str) -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut stats =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
    // "id (name) state …"
    stats.all(|stat| !stat.contains(name) || stat.contains(") S "))
}

#[test]
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "a limit for a test that would fail")]
fn threads_sleep_when_there_is_nothing_to_do() {
    for rest in [true, false] {
        let pool = Pool::external(3);
        std::thread::scope(|scope| {
            for index in 1..3 {
                let thread = std::thread::Builder::new().name("pool-at-rest".into());
                let pool = &pool;
                thread.spawn_scoped(scope, move || worker_main(pool, index)).unwrap();
            }
            wait_for(&pool);
            each_once(&pool, 6);
            if rest {
                pool.rest();
            }
            let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
            while !asleep("pool-at-rest") && std::time::Instant::now() < end {
                std::thread::yield_now();
            }
            let asleep = asleep("pool-at-rest");
            each_once(&pool, 6);
            pool.shut_down();
            assert!(asleep, "they spin for ever");
        });
    }
}

#[test]
fn as_many_threads_work_as_are_let() {
    let pool = Pool::native(4);
    wait_for(&pool);
    for (count, works) in [(1, 1), (3, 3), (2, 2), (4, 4), (0, 1), (9, 4), (2, 2)] {
        pool.set_threads(count);
        assert_eq!((pool.threads(), pool.size()), (works, 4));
        let all_here = Barrier::new(works);
        pool.run(works, &|_| {
            all_here.wait();
        });
        let mut threads = each_once(&pool, 64);
        threads.sort_by_key(|thread| format!("{thread:?}"));
        threads.dedup();
        assert!(threads.len() <= works, "{} threads worked, not {works}", threads.len());
    }
}

#[test]
fn jobs_between_which_the_number_of_threads_changes_lose_nothing() {
    let pool = Pool::native(4);
    wait_for(&pool);
    let sum = AtomicUsize::new(0);
    for round in 1..=3_000 {
        if round % 3 == 0 {
            pool.set_threads(1 + round % 4);
        }
        let parts = round % 7;
        pool.run(parts, &|part| {
            sum.fetch_add(part + 1, Ordering::Relaxed);
        });
        assert_eq!(sum.swap(0, Ordering::Relaxed), parts * (parts + 1) / 2);
    }
}

#[test]
#[cfg(target_os = "linux")]
#[allow(clippy::disallowed_methods, reason = "a limit for a test that would fail")]
fn threads_that_do_not_work_sleep_while_others_do() {
    let pool = Pool::external(3);
    std::thread::scope(|scope| {
        for (index, name) in [(1, "pool-at-work"), (2, "pool-on-bench")] {
            let thread = std::thread::Builder::new().name(name.into());
            let pool = &pool;
            thread.spawn_scoped(scope, move || worker_main(pool, index)).unwrap();
        }
        wait_for(&pool);
        pool.set_threads(2);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let mut jobs = 0;
        // It does not wake between the jobs of the others either.
        while jobs < 1_000 && std::time::Instant::now() < end {
            each_once(&pool, 6);
            jobs = if asleep("pool-on-bench") { jobs + 1 } else { 0 };
        }
        pool.shut_down();
        assert!(jobs > 0, "it spins for ever");
        assert_eq!(jobs, 1_000, "it does not stay asleep");
    });
}

#[test]
fn sleeping_threads_wake_for_the_next_job() {
    let pool = Pool::native(3);
    wait_for(&pool);
    for _ in 0..200 {
        each_once(&pool, 3);
        pool.rest();
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
}

#[test]
fn a_panicking_part_reaches_the_caller_and_leaves_the_pool_usable() {
    let pool = Pool::native(3);
    wait_for(&pool);
    for bad in 0..4 {
        let done = AtomicUsize::new(0);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            pool.run(4, &|part| {
                assert_ne!(part, bad, "part of the test");
                done.fetch_add(1, Ordering::Relaxed);
            });
        }));
        assert!(outcome.is_err(), "the panic of part {bad} was lost");
        assert_eq!(done.load(Ordering::Relaxed), 3);
        each_once(&pool, 4);
    }
}

#[test]
fn a_call_from_inside_a_part_runs_where_it_is() {
    let pool = Pool::native(2);
    wait_for(&pool);
    let inner = AtomicUsize::new(0);
    pool.run(2, &|_| {
        for thread in each_once(&pool, 3) {
            assert_eq!(thread, std::thread::current().id());
            inner.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert_eq!(inner.load(Ordering::Relaxed), 6);
}

#[test]
fn two_callers_at_once_both_get_their_work_done() {
    let pool = Pool::native(3);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..2_000).for_each(|round| drop(each_once(&pool, round % 6))));
        }
    });
}

#[test]
fn an_external_pool_works_alone_until_its_threads_come_and_after_they_go() {
    let pool = Pool::external(3);
    let here = std::thread::current().id();
    assert!(!pool.ready());
    assert!(each_once(&pool, 3).iter().all(|&thread| thread == here));
    std::thread::scope(|scope| {
        scope.spawn(|| worker_main(&pool, 1));
        // A wrong or a doubled index returns instead of serving.
        worker_main(&pool, 0);
        worker_main(&pool, 3);
        scope.spawn(|| worker_main(&pool, 2));
        wait_for(&pool);
        worker_main(&pool, 2);
        let all_here = Barrier::new(3);
        pool.run(3, &|_| {
            all_here.wait();
        });
        pool.shut_down();
    });
    assert!(each_once(&pool, 3).iter().all(|&thread| thread == here));
}

#[test]
fn dropping_joins_threads_that_sleep_or_spin() {
    for round in 0..50 {
        let pool = Pool::native(3);
        if round % 2 == 0 {
            each_once(&pool, 3);
        }
        if round % 3 == 0 {
            pool.rest();
        }
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a thread that outlives every scope")]
fn a_thread_that_is_gone_fails_the_job_going_on_and_every_later_one() {
    // Never dropped: the lost thread stays in its part for ever.
    let pool: &'static Pool = Box::leak(Box::new(Pool::external(2)));
    std::thread::spawn(|| worker_main(pool, 1));
    wait_for(pool);
    let (say, hear) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        static LOST: AtomicBool = AtomicBool::new(false);
        let here = std::thread::current().id();
        for round in 0..2 {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                pool.run(2, &move |_| {
                    while std::thread::current().id() != here {
                        LOST.store(true, Ordering::SeqCst);
                        std::thread::park();
                    }
                    while !LOST.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                });
            }));
            let message = outcome.err().and_then(|panic| panic.downcast::<&str>().ok());
            say.send((round, message.map(|text| text.to_string()))).unwrap();
        }
    });
    let second = std::time::Duration::from_secs(1);
    // Long enough for the caller to have gone to sleep.
    assert!(hear.recv_timeout(second / 5).is_err(), "it did not wait for its thread");
    // SAFETY: the closure borrows nothing.
    unsafe { pool.fail() };
    for round in 0..2 {
        let (at, message) = hear.recv_timeout(10 * second).expect("the caller waits for ever");
        assert_eq!(at, round);
        assert!(message.unwrap().contains("a thread of the pool crashed"));
    }
}
