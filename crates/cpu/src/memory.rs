#![allow(
    unsafe_code,
    reason = "values of one arena are read and written at once; the plan keeps them apart"
)]

use sidestage_tensor::{AlignedBytes, SharedOut};
use std::collections::TryReserveError;

/// The bytes in which a plan's intermediate values lie.
#[derive(Debug)]
pub(crate) struct Arena {
    bytes: AlignedBytes,
}

impl Arena {
    pub(crate) fn new(bytes: usize) -> Result<Self, TryReserveError> {
        Ok(Self { bytes: AlignedBytes::zeroed(bytes)? })
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

/// The pages of one state, kept from run to run.
#[derive(Debug, Default)]
pub(crate) struct State {
    pages: Vec<AlignedBytes>,
    cells: Vec<SharedOut<'static, u8>>,
}

impl State {
    /// Grows to `count` pages of `bytes` each.
    pub(crate) fn grow(&mut self, count: usize, bytes: usize) -> Result<(), TryReserveError> {
        while self.pages.len() < count {
            self.pages.try_reserve(1)?;
            self.cells.try_reserve(1)?;
            let mut page = AlignedBytes::zeroed(bytes)?;
            let start = page.as_mut_slice().as_mut_ptr();
            // SAFETY: the page's heap bytes do not move and are dropped with `self`; `cells` hands
            // them out only for a borrow of `self`, and nothing else touches them.
            self.cells.push(unsafe { SharedOut::from_raw(start, bytes) });
            self.pages.push(page);
        }
        Ok(())
    }

    pub(crate) fn copy_page(&mut self, from: usize, to: usize) {
        if let Ok([from, to]) = self.pages.get_disjoint_mut([from, to]) {
            to.as_mut_slice().copy_from_slice(from.as_slice());
        }
    }

    pub(crate) fn cells(&self) -> &[SharedOut<'_, u8>] {
        &self.cells
    }

    pub(crate) fn bytes(&self) -> usize {
        self.pages.iter().map(AlignedBytes::len).sum()
    }
}
