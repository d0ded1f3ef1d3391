use sidestage_kernels::KV_PAGE;
use sidestage_tensor::DType;
use std::fmt;

/// Positions in one page.
pub const PAGE: usize = KV_PAGE;

/// The element type of keys and values in the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvType {
    /// Exact.
    F32,
    /// Half the bytes; 11 bits of each value.
    #[default]
    F16,
    /// About a quarter; 8 bits of each value and a scale for 32.
    Q8_0,
}

impl KvType {
    /// All there are, by name.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Q8_0];

    /// Its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// The type of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kv_type| kv_type.name() == name)
    }

    pub(crate) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Q8_0 => DType::Q8_0,
        }
    }
}

/// Names a sequence held by a [`KvCache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sequence(u32);

/// The pages of the KV cache: which sequence has which, in which order.
///
/// It holds no keys and no values: those lie in the states of the plan, under the pages' numbers.
/// Sequences may share pages; a shared page is copied before it is written.
#[derive(Debug)]
pub struct KvCache {
    /// Users of each page; 0: free.
    users: Vec<u32>,
    free: Vec<u32>,
    limit: usize,
    sequences: Vec<Option<Vec<u32>>>,
}

/// No page is free and no more may be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheFull {
    /// Pages there may be.
    pub pages: usize,
}

impl fmt::Display for CacheFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all {} pages of the KV cache are in use", self.pages)
    }
}

impl std::error::Error for CacheFull {}

impl KvCache {
    /// A cache of at most `limit` pages.
    pub fn new(limit: usize) -> Self {
        Self { users: Vec::new(), free: Vec::new(), limit, sequences: Vec::new() }
    }

    /// Pages that the states must have.
    pub fn pages(&self) -> usize {
        self.users.len()
    }

    /// Pages that a sequence could still get.
    pub fn available(&self) -> usize {
        self.limit - self.users.len() + self.free.len()
    }

    /// A new, empty sequence.
    pub fn create(&mut self) -> Sequence {
        self.insert(Vec::new())
    }

    /// A new sequence that shares the first `len` positions of another.
    pub fn fork(&mut self, of: Sequence, len: usize) -> Sequence {
        let table = self.table(of);
        let shared = table[..len.div_ceil(PAGE).min(table.len())].to_vec();
        for &page in &shared {
            self.users[page as usize] += 1;
        }
        self.insert(shared)
    }

    /// Gives up all positions from `len` on.
    pub fn truncate(&mut self, sequence: Sequence, len: usize) {
        let Some(table) = &mut self.sequences[sequence.0 as usize] else { return };
        let gone = table.split_off(len.div_ceil(PAGE).min(table.len()));
        self.release(&gone);
    }

    /// Gives up a sequence.
    pub fn remove(&mut self, sequence: Sequence) {
        let gone = self.sequences[sequence.0 as usize].take();
        self.release(&gone.unwrap_or_default());
    }

    /// The pages of a sequence.
    pub fn table(&self, sequence: Sequence) -> &[u32] {
        self.sequences[sequence.0 as usize].as_deref().unwrap_or(&[])
    }

    /// Pages that [`KvCache::prepare`] would take for positions `from..to`.
    pub fn needed(&self, sequence: Sequence, from: usize, to: usize) -> usize {
        let more = to.div_ceil(PAGE).saturating_sub(self.table(sequence).len());
        self.shared(sequence, from, to).count() + more
    }

    /// Pages that the states must have after `needed` more are taken.
    pub fn pages_with(&self, needed: usize) -> usize {
        let more = needed.saturating_sub(self.free.len());
        self.users.len() + more.min(self.limit - self.users.len())
    }

    /// The pages of these positions that others use too, by their place in the table.
    fn shared(&self, sequence: Sequence, from: usize, to: usize) -> impl Iterator<Item = usize> {
        let table = self.table(sequence);
        let written = from / PAGE..to.div_ceil(PAGE).min(table.len());
        written.filter(|&at| self.users[table[at] as usize] > 1)
    }

    /// Makes sure that positions `from..to` can be written. `copy(from, to)` is called for each
    /// page whose contents must be copied first.
    ///
    /// # Errors
    /// Not enough pages; nothing changes then.
    pub fn prepare(
        &mut self,
        sequence: Sequence,
        from: usize,
        to: usize,
        mut copy: impl FnMut(u32, u32),
    ) -> Result<(), CacheFull> {
        let have = self.table(sequence).len();
        let wanted = to.div_ceil(PAGE).max(have);
        let shared: Vec<usize> = self.shared(sequence, from, to).collect();
        if shared.len() + wanted - have > self.available() {
            return Err(CacheFull { pages: self.limit });
        }
        for at in shared {
            let old = self.table(sequence)[at];
            let new = self.take();
            copy(old, new);
            self.users[old as usize] -= 1;
            if let Some(table) = &mut self.sequences[sequence.0 as usize] {
                table[at] = new;
            }
        }
        for _ in have..wanted {
            let page = self.take();
            if let Some(table) = &mut self.sequences[sequence.0 as usize] {
                table.push(page);
            }
        }
        Ok(())
    }

    fn insert(&mut self, table: Vec<u32>) -> Sequence {
        let free = self.sequences.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.sequences.push(None);
            self.sequences.len() - 1
        });
        self.sequences[index] = Some(table);
        Sequence(index as u32)
    }

    fn take(&mut self) -> u32 {
        let page = self.free.pop().unwrap_or_else(|| {
            self.users.push(0);
            self.users.len() as u32 - 1
        });
        self.users[page as usize] = 1;
        page
    }

    fn release(&mut self, pages: &[u32]) {
        for &page in pages {
            self.users[page as usize] -= 1;
            if self.users[page as usize] == 0 {
                self.free.push(page);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_copy(_: u32, _: u32) {
        panic!("nothing is shared");
    }

    #[test]
    fn pages_come_and_go() {
        let mut cache = KvCache::new(4);
        let a = cache.create();
        cache.prepare(a, 0, 33, no_copy).unwrap();
        assert_eq!(cache.table(a).len(), 2);
        cache.prepare(a, 33, 64, no_copy).unwrap();
        assert_eq!(cache.table(a).len(), 2);
        let b = cache.create();
        assert_eq!(cache.prepare(b, 0, 97, no_copy), Err(CacheFull { pages: 4 }));
        assert_eq!(cache.table(b).len(), 0);
        cache.truncate(a, 32);
        cache.prepare(b, 0, 96, no_copy).unwrap();
        assert_eq!(cache.available(), 0);
        cache.remove(a);
        cache.remove(b);
        assert_eq!(cache.available(), 4);
    }

    #[test]
    fn a_fork_shares_pages_until_one_writes() {
        let mut cache = KvCache::new(8);
        let a = cache.create();
        cache.prepare(a, 0, 70, no_copy).unwrap();
        let b = cache.fork(a, 40);
        assert_eq!(cache.table(b), &cache.table(a)[..2]);
        let mut copies = Vec::new();
        cache.prepare(b, 40, 41, |from, to| copies.push((from, to))).unwrap();
        assert_eq!(copies, [(cache.table(a)[1], cache.table(b)[1])]);
        assert_eq!(cache.table(a)[0], cache.table(b)[0]);
        cache.remove(a);
        cache.prepare(b, 0, 1, no_copy).unwrap();
        cache.remove(b);
        assert_eq!(cache.available(), 8);
    }
}
