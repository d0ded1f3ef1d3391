//! Loops over the sums of a tile.

/// Writes `body` out for `i` in `0..n`, n at most 8. LLVM leaves loops over a tile's sums rolled
/// where the body is large, and then keeps the sums in memory, which halves the speed.
macro_rules! unrolled {
    ($n:expr, $i:ident => $body:expr) => {
        unrolled!($n, $i => $body, 0 1 2 3 4 5 6 7)
    };
    ($n:expr, $i:ident => $body:expr, $($at:literal)*) => {
        $(if $at < $n {
            let $i: usize = $at;
            $body;
        })*
    };
}
