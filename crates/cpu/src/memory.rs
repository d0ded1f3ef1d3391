#![allow(
    unsafe_code,
    reason = "values of one arena are read and written at once; the plan keeps them apart"
)]

use sidestage_tensor::{AlignedBytes, SharedOut};
use std::collections::TryReserveError;

/// The bytes in which a plan's intermediate values lie. Plans that do not run at once may take turns
/// with one.
#[derive(Debug)]
pub(crate) struct Arena {
    bytes: AlignedBytes,
}

impl Arena {
    pub(crate) fn new(bytes: usize) -> Result<Self, TryReserveError> {
        Ok(Self { bytes: AlignedBytes::zeroed(bytes)? })
    }

    /// This one, or a larger one.
    pub(crate) fn grown(self, bytes: usize) -> Result<Self, TryReserveError> {
        if self.bytes() >= bytes {
            return Ok(self);
        }
        // Not both at once.
        drop(self);
        Self::new(bytes)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// A value to be read between runs.
    pub(crate) fn read(&self, offset: usize, len: usize) -> &[u8] {
        &self.bytes.as_slice()[offset..offset + len]
    }

    /// A value to be written between runs.
    pub(crate) fn write(&mut self, offset: usize, len: usize) -> &mut [u8] {
        &mut self.bytes.as_mut_slice()[offset..offset + len]
    }

    /// Access while a node runs, or several that may at once.
    pub(crate) fn cells(&mut self) -> ArenaCells<'_> {
        ArenaCells(SharedOut::new(self.bytes.as_mut_slice()))
    }
}

/// An arena from which running nodes take their operands and results.
#[derive(Clone, Copy)]
pub(crate) struct ArenaCells<'a>(SharedOut<'a, u8>);

impl<'a> ArenaCells<'a> {
    pub(crate) fn operand(&self, offset: usize, len: usize) -> &'a [u8] {
        // SAFETY: a plan gives values that live at the same time disjoint bytes, and nodes
        // that run at once write nothing that one of them reads; shared reads are fine.
        unsafe { self.0.read(offset..offset + len) }
    }

    pub(crate) fn result(&self, offset: usize, len: usize) -> SharedOut<'a, u8> {
        // SAFETY: as above: a result's bytes belong to no operand and no other result of these nodes.
        SharedOut::new(unsafe { self.0.part(offset..offset + len) })
    }
}

/// The pages of all states, kept from run to run.
#[derive(Debug, Default)]
pub(crate) struct States {
    slabs: Vec<AlignedBytes>,
    /// Of each state its pages.
    pages: Vec<Vec<SharedOut<'static, u8>>>,
}

impl States {
    /// A page of the processor's memory. Where the pages of a state are whole ones they lie on their
    /// borders, over which no processor reads ahead.
    const BORDER: usize = 4096;

    pub(crate) fn new(count: usize) -> Self {
        Self { slabs: Vec::new(), pages: (0..count).map(|_| Vec::new()).collect() }
    }

    /// Grows each state to `count` pages of its number of bytes. What is new lies in one allocation, a
    /// state's pages side by side.
    pub(crate) fn grow(
        &mut self,
        count: usize,
        bytes: impl Fn(usize) -> usize,
    ) -> Result<(), TryReserveError> {
        let more: Vec<usize> =
            self.pages.iter().map(|pages| count.saturating_sub(pages.len())).collect();
        let room = |state: usize| bytes(state).next_multiple_of(64);
        let all = more.iter().enumerate().fold(0usize, |all, (state, more)| {
            all.saturating_add(more.saturating_mul(room(state)))
        });
        if all == 0 {
            return Ok(());
        }
        self.slabs.try_reserve(1)?;
        for (pages, &more) in self.pages.iter_mut().zip(&more) {
            pages.try_reserve(more)?;
        }
        let mut slab = AlignedBytes::zeroed(all.saturating_add(Self::BORDER))?;
        let start = slab.as_mut_slice().as_mut_ptr();
        let mut at = start.align_offset(Self::BORDER).min(Self::BORDER);
        for (state, &more) in more.iter().enumerate() {
            for _ in 0..more {
                // SAFETY: the part lies in the slab, whose heap bytes do not move and are dropped with
                // `self`; `pages` hands it out only for a borrow of `self`, and nothing else touches it.
                let page = unsafe { SharedOut::from_raw(start.add(at), bytes(state)) };
                self.pages[state].push(page);
                at += room(state);
            }
        }
        self.slabs.push(slab);
        Ok(())
    }

    /// Copies one page of every state over another.
    pub(crate) fn copy_page(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        for pages in &mut self.pages {
            let (from, to) = (pages[from], pages[to]);
            // SAFETY: two pages do not overlap, and `self` is borrowed alone.
            let (from, to) = unsafe { (from.read(0..from.len()), to.part(0..to.len())) };
            to.copy_from_slice(from);
        }
    }

    /// The pages of a state.
    pub(crate) fn cells(&self, state: usize) -> &[SharedOut<'_, u8>] {
        &self.pages[state]
    }

    pub(crate) fn bytes(&self) -> usize {
        self.pages.iter().flatten().map(SharedOut::len).sum()
    }
}
