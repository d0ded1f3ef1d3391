//! The merge loop that both kinds of tokenizer share.
//!
//! Symbols stand in a linked list. The best pair of neighbours is merged until no pair is left.
//! A heap of candidate pairs makes this `n log n` for a text of `n` symbols.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

const NONE: u32 = u32::MAX;

/// A rule that says whether two neighbours merge, how urgently, and into what.
pub(crate) trait Rule {
    /// The priority and the merged symbol of two neighbours. Merges with a greater priority come
    /// first; ties go from left to right.
    fn merge(&self, left: u32, right: u32) -> Option<(u32, u32)>;
}

#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    priority: u32,
    left: u32,
    left_symbol: u32,
    right_symbol: u32,
    merged: u32,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.priority.cmp(&other.priority).then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Copy, Debug)]
struct Link {
    symbol: u32,
    previous: u32,
    next: u32,
}

/// Space that is kept from word to word.
#[derive(Debug, Default)]
pub(crate) struct Merger {
    links: Vec<Link>,
    heap: BinaryHeap<Candidate>,
}

impl Merger {
    /// Merges `symbols` as far as `rule` goes and gives what is left to `emit`, in order.
    pub(crate) fn run<R: Rule>(
        &mut self,
        rule: &R,
        symbols: impl Iterator<Item = u32>,
        mut emit: impl FnMut(u32),
    ) {
        self.heap.clear();
        self.links.clear();
        for symbol in symbols {
            let here = self.links.len() as u32;
            let previous = if here == 0 { NONE } else { here - 1 };
            self.links.push(Link { symbol, previous, next: here + 1 });
        }
        let Some(last) = self.links.last_mut() else { return };
        last.next = NONE;
        for left in 1..self.links.len() as u32 {
            self.consider(rule, left - 1);
        }
        while let Some(best) = self.heap.pop() {
            let link = self.links[best.left as usize];
            // A symbol that was merged into its left neighbour is no symbol any more.
            if link.symbol != best.left_symbol || link.next == NONE {
                continue;
            }
            let right = self.links[link.next as usize];
            if right.symbol != best.right_symbol {
                continue;
            }
            self.links[link.next as usize].symbol = NONE;
            self.links[best.left as usize].symbol = best.merged;
            self.links[best.left as usize].next = right.next;
            if right.next != NONE {
                self.links[right.next as usize].previous = best.left;
            }
            if link.previous != NONE {
                self.consider(rule, link.previous);
            }
            self.consider(rule, best.left);
        }
        let mut at = 0;
        while at != NONE {
            let link = self.links[at as usize];
            emit(link.symbol);
            at = link.next;
        }
    }

    fn consider<R: Rule>(&mut self, rule: &R, left: u32) {
        let link = self.links[left as usize];
        if link.next == NONE {
            return;
        }
        let (left_symbol, right_symbol) = (link.symbol, self.links[link.next as usize].symbol);
        if let Some((priority, merged)) = rule.merge(left_symbol, right_symbol) {
            self.heap.push(Candidate { priority, left, left_symbol, right_symbol, merged });
        }
    }
}
