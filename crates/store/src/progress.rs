use std::collections::VecDeque;

/// What is going on while a model is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Another load has a file; it is waited for.
    Waiting,
    /// Bytes are coming.
    Download,
    /// They are all there and are made ready.
    Prepare,
    /// The model can be used.
    Ready,
}

impl Phase {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Download => "download",
            Self::Prepare => "prepare",
            Self::Ready => "ready",
        }
    }
}

/// How far a load is. Of one load, bytes never go back, nor phases but `Waiting`.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What is going on.
    pub phase: Phase,
    /// The file's name.
    pub file: String,
    /// Bytes so far, of all files.
    pub loaded_bytes: u64,
    /// Bytes of them that came from the cache.
    pub cached_bytes: u64,
    /// Bytes in all, where known; never fewer than `loaded_bytes`.
    pub total_bytes: Option<u64>,
    /// The speed over the last three seconds, in bytes a second.
    pub bytes_per_second: f64,
    /// Seconds left at that speed, where it and the total are known.
    pub eta_seconds: Option<f64>,
}

/// Milliseconds between two reports at least.
const INTERVAL: f64 = 100.0;
/// Milliseconds that the speed is measured over.
const WINDOW: f64 = 3000.0;

/// Counts bytes and says when to report: at the first bytes, then at most ten times a second, at
/// the last byte, and at each new phase.
///
/// Times are in milliseconds of any clock of the host; one that goes back is taken to stand still.
#[derive(Clone, Debug)]
pub struct Meter {
    phase: Phase,
    file: String,
    loaded: u64,
    cached: u64,
    total: Option<u64>,
    now: f64,
    /// Time and bytes at some moments of the window, [`INTERVAL`] apart; the first is the last
    /// moment before it. Never empty.
    moments: VecDeque<(f64, u64)>,
    /// When the last report was made, and at how many bytes.
    reported: Option<(f64, u64)>,
}

impl Meter {
    /// A load of `file` that begins now, of so many bytes where that is known.
    pub fn new(file: impl Into<String>, total: Option<u64>, now_ms: f64) -> Self {
        let now = if now_ms.is_finite() { now_ms } else { 0.0 };
        Self {
            phase: Phase::Download,
            file: file.into(),
            loaded: 0,
            cached: 0,
            total,
            now,
            moments: VecDeque::from([(now, 0)]),
            reported: None,
        }
    }

    /// The length has become known, or known better.
    pub fn set_total(&mut self, total: u64) {
        self.total = Some(total);
    }

    /// Another file is read now.
    pub fn set_file(&mut self, file: &str) {
        if self.file != file {
            file.clone_into(&mut self.file);
        }
    }

    /// So many bytes of all files are here, `cached` of them from the cache; never fewer than
    /// before, even where files are read again. The report to send, if it is time for one.
    pub fn reach(&mut self, loaded: u64, cached: u64, now_ms: f64) -> Option<Progress> {
        self.clock(now_ms);
        self.loaded = self.loaded.max(loaded);
        self.cached = self.cached.max(cached).min(self.loaded);
        let last = self.moments.back().map_or(self.now, |moment| moment.0);
        if self.now - last >= INTERVAL {
            self.moments.push_back((self.now, self.loaded));
        }
        // The window's edge lies between the first two moments.
        while self.moments.get(1).is_some_and(|second| self.now - second.0 >= WINDOW) {
            self.moments.pop_front();
        }
        let due = match self.reported {
            None => true,
            Some((at, loaded)) => {
                let complete =
                    self.total.is_some_and(|total| loaded < total && total <= self.loaded);
                complete || self.now - at >= INTERVAL
            }
        };
        due.then(|| self.report())
    }

    /// A phase begins; earlier phases than the present one are ignored. Always gives a report.
    pub fn enter(&mut self, phase: Phase, now_ms: f64) -> Progress {
        self.clock(now_ms);
        self.phase = self.phase.max(phase);
        self.report()
    }

    /// A report that another load is waited for. The phase stays as it is.
    pub fn waiting(&mut self, now_ms: f64) -> Progress {
        self.clock(now_ms);
        Progress { phase: Phase::Waiting, ..self.report() }
    }

    /// Bytes so far.
    pub fn loaded(&self) -> u64 {
        self.loaded
    }

    fn clock(&mut self, now_ms: f64) {
        self.now = if now_ms.is_finite() { self.now.max(now_ms) } else { self.now };
    }

    fn report(&mut self) -> Progress {
        self.reported = Some((self.now, self.loaded));
        let total = self.total.map(|total| total.max(self.loaded));
        let (since, from) = self.moments.front().copied().unwrap_or((self.now, self.loaded));
        let seconds = (self.now - since) / 1000.0;
        let speed = if seconds > 0.0 { (self.loaded - from) as f64 / seconds } else { 0.0 };
        let left = total.map(|total| (total - self.loaded) as f64);
        Progress {
            phase: self.phase,
            file: self.file.clone(),
            loaded_bytes: self.loaded,
            cached_bytes: self.cached,
            total_bytes: total,
            bytes_per_second: speed,
            eta_seconds: match left {
                Some(0.0) => Some(0.0),
                Some(left) if speed > 0.0 => Some(left / speed),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn add(meter: &mut Meter, bytes: u64, now_ms: f64) -> Option<Progress> {
        meter.reach(meter.loaded() + bytes, 0, now_ms)
    }

    #[test]
    fn a_steady_download_reports_ten_times_a_second_and_its_true_speed() {
        // 10 MB at 1 MB/s, a chunk of 10 kB each 10 ms.
        let mut meter = Meter::new("m.gguf", Some(10 * MB), 5000.0);
        let mut reports = Vec::new();
        for step in 1..=1000_u64 {
            reports.extend(add(&mut meter, 10_000, 5000.0 + step as f64 * 10.0));
        }
        assert!((95..=102).contains(&reports.len()), "{}", reports.len());
        for report in &reports[1..] {
            assert!((report.bytes_per_second - 1e6).abs() < 2e4, "{report:?}");
            let left = (10 * MB - report.loaded_bytes) as f64 / 1e6;
            assert!((report.eta_seconds.expect("an estimate") - left).abs() < 0.3, "{report:?}");
        }
        let last = reports.last().expect("reports");
        assert_eq!((last.loaded_bytes, last.total_bytes), (10 * MB, Some(10 * MB)));
        assert_eq!(last.eta_seconds, Some(0.0));
        assert!(meter.moments.len() < 40);
    }

    #[test]
    fn reports_come_at_the_first_bytes_the_last_and_each_phase() {
        let mut meter = Meter::new("m.gguf", Some(100), 0.0);
        let first = add(&mut meter, 10, 0.0).expect("the first bytes");
        assert_eq!(
            (first.loaded_bytes, first.bytes_per_second, first.eta_seconds),
            (10, 0.0, None)
        );
        assert_eq!(add(&mut meter, 10, 50.0), None);
        assert_eq!(add(&mut meter, 10, 99.0), None);
        assert!(add(&mut meter, 10, 100.0).is_some());
        let last = add(&mut meter, 60, 101.0).expect("the last bytes");
        assert_eq!((last.phase, last.loaded_bytes), (Phase::Download, 100));
        // Padding after the last byte is counted, not reported at once.
        assert_eq!(add(&mut meter, 1, 102.0), None);
        assert_eq!(meter.enter(Phase::Prepare, 103.0).phase.as_str(), "prepare");
        assert_eq!(meter.enter(Phase::Ready, 103.0).phase, Phase::Ready);
        assert_eq!(meter.enter(Phase::Prepare, 104.0).phase, Phase::Ready);
        assert_eq!(meter.enter(Phase::Ready, 104.0).total_bytes, Some(101));
    }

    #[test]
    fn the_speed_follows_the_last_seconds() {
        let mut meter = Meter::new("m.gguf", None, 0.0);
        for second in 1..=10 {
            add(&mut meter, 5 * MB, f64::from(second) * 1000.0);
        }
        let mut slow = None;
        for second in 11..=20 {
            slow = add(&mut meter, MB, f64::from(second) * 1000.0);
        }
        let slow = slow.expect("a report a second");
        assert_eq!((slow.bytes_per_second, slow.eta_seconds), (1e6, None));
        // A stall: time passes and nothing comes.
        let stalled = add(&mut meter, 0, 60_000.0).expect("a report");
        assert!(stalled.bytes_per_second < 1e5, "{stalled:?}");
        meter.set_total(100 * MB);
        add(&mut meter, 0, 64_000.0);
        let stopped = add(&mut meter, 0, 68_000.0).expect("a report");
        assert_eq!((stopped.bytes_per_second, stopped.eta_seconds), (0.0, None));
    }

    #[test]
    fn nothing_goes_back_whatever_the_clock_and_the_total_say() {
        let mut meter = Meter::new("m.gguf", Some(50), 1000.0);
        let (mut loaded, mut phase) = (0, Phase::Download);
        let clock = [1000.0, 900.0, f64::NAN, 2000.0, f64::INFINITY, -1.0, 2500.0, 1e9, 1e9];
        for (at, now) in clock.into_iter().enumerate() {
            meter.set_total(60 - 5 * at as u64);
            let mut reports: Vec<Progress> = add(&mut meter, 10, now).into_iter().collect();
            if at == 5 {
                reports.push(meter.enter(Phase::Prepare, now));
            }
            for report in reports {
                assert!(report.loaded_bytes >= loaded && report.phase >= phase);
                assert!(report.total_bytes.is_some_and(|total| total >= report.loaded_bytes));
                assert!(report.bytes_per_second.is_finite() && report.bytes_per_second >= 0.0);
                assert!(report.eta_seconds.is_none_or(|left| left.is_finite() && left >= 0.0));
                (loaded, phase) = (report.loaded_bytes, report.phase);
            }
        }
        assert_eq!((meter.loaded(), phase), (90, Phase::Prepare));
    }
}
