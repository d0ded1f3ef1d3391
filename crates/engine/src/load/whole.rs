use sidestage_store::{End, Orders, Reading, StoreError, Wanted};

/// Most bytes of a file that is held in memory as a whole: twice the largest `tokenizer.json`.
const MOST: usize = 64 << 20;
const WINDOW: usize = 64 << 10;

/// A small file that is read into memory.
pub(super) struct Whole {
    pub(super) reading: Reading,
    bytes: Vec<u8>,
    filled: usize,
}

impl Whole {
    pub(super) fn start(wanted: Wanted, orders: &mut Orders) -> Self {
        let mut reading = Reading::new(wanted);
        reading.start(orders);
        Self { reading, bytes: Vec::new(), filled: 0 }
    }

    pub(super) fn window(&mut self, want: usize) -> &mut [u8] {
        let to = self.filled + want.min(WINDOW);
        if self.bytes.len() < to {
            self.bytes.resize(to, 0);
        }
        &mut self.bytes[self.filled..to]
    }

    pub(super) fn wrote(&mut self, stream: u32, count: usize, orders: &mut Orders) {
        let to = self.filled + count;
        self.reading.wrote(stream, &self.bytes[self.filled..to], orders);
        self.filled = to;
    }

    /// Refuses a file that cannot be what it should.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.filled <= MOST {
            return Ok(());
        }
        let file = self.reading.wanted().file.clone();
        Err(StoreError::TooLarge { file, limit: MOST as u64 })
    }

    /// Its bytes, when the reading has ended. `None`: it may be missing, and is.
    pub(super) fn end(&mut self) -> Option<Result<Ended, StoreError>> {
        let end = self.reading.end()?.clone();
        Some(end.map(|end| match end {
            End::Missing => Ended::Missing,
            End::Changed => Ended::Changed,
            End::Whole | End::Enough => {
                self.bytes.truncate(self.filled);
                Ended::Bytes(std::mem::take(&mut self.bytes))
            }
        }))
    }
}

/// What came of a small file.
pub(super) enum Ended {
    Bytes(Vec<u8>),
    Missing,
    Changed,
}
