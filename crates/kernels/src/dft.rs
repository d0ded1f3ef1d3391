//! The discrete Fourier transform of any length, in double precision.

use std::f64::consts::PI;

/// A complex number: its real and imaginary part.
pub type Complex = [f64; 2];

fn product([a, b]: Complex, [c, d]: Complex) -> Complex {
    [a * c - b * d, a * d + b * c]
}

fn add(sum: &mut Complex, [a, b]: Complex) {
    sum[0] += a;
    sum[1] += b;
}

/// `exp(2 pi i * part / whole)`.
fn root(part: usize, whole: usize) -> Complex {
    let (sin, cos) = (2.0 * PI * part as f64 / whole as f64).sin_cos();
    [cos, sin]
}

/// A transform of one length.
#[derive(Clone, Debug)]
pub struct Dft {
    length: usize,
    /// `exp(±2 pi i k / length)`.
    roots: Vec<Complex>,
    chirp: Option<Box<Chirp>>,
}

/// A length with a large prime factor, as a convolution of a length that is a power of two
/// (Bluestein).
#[derive(Clone, Debug)]
struct Chirp {
    factors: Vec<Complex>,
    forth: Dft,
    back: Dft,
    /// The transform of what is convolved with.
    spectrum: Vec<Complex>,
}

/// Prime factors up to this one are summed directly.
const LARGEST_FACTOR: usize = 64;

fn smallest_factor(length: usize) -> usize {
    (2..).take_while(|p| p * p <= length).find(|p| length.is_multiple_of(*p)).unwrap_or(length)
}

impl Dft {
    /// The longest that there is.
    pub const MOST: usize = 1 << 21;

    /// A transform of `length`, at most [`Dft::MOST`]; the inverse one is not divided by the length.
    pub fn new(length: usize, inverse: bool) -> Self {
        let mut rest = length;
        while (2..=LARGEST_FACTOR).any(|p| rest > 1 && rest.is_multiple_of(p)) {
            rest /= smallest_factor(rest);
        }
        let sign = |[re, im]: Complex| if inverse { [re, im] } else { [re, -im] };
        if rest <= 1 {
            let roots = (0..length).map(|k| sign(root(k, length))).collect();
            return Self { length, roots, chirp: None };
        }
        let long = (2 * length).next_power_of_two();
        let (forth, back) = (Self::new(long, false), Self::new(long, true));
        let factors = (0..length as u64).map(|k| {
            let square = k * k % (2 * length as u64);
            sign(root(square as usize, 2 * length))
        });
        let factors: Vec<Complex> = factors.collect();
        let (mut taps, mut spectrum) = (vec![[0.0; 2]; long], vec![[0.0; 2]; long]);
        for (k, [re, im]) in factors.iter().enumerate() {
            taps[k] = [*re, -im];
            taps[(long - k) % long] = [*re, -im];
        }
        forth.run(&taps, &mut spectrum);
        Self {
            length,
            roots: Vec::new(),
            chirp: Some(Box::new(Chirp { factors, forth, back, spectrum })),
        }
    }

    /// How many elements it takes and gives.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Transforms `x` into `out`.
    ///
    /// # Panics
    /// If they are not of its length.
    pub fn run(&self, x: &[Complex], out: &mut [Complex]) {
        assert!(x.len() == self.length && out.len() == self.length, "another length");
        match &self.chirp {
            Some(chirp) => chirp.run(x, out),
            None if self.length > 0 => {
                self.part(x, 1, out, &mut [[0.0; 2]; LARGEST_FACTOR]);
            }
            None => {}
        }
    }

    /// The transform of every `step`-th element.
    fn part(&self, x: &[Complex], step: usize, out: &mut [Complex], terms: &mut [Complex]) {
        let length = out.len();
        if length == 1 {
            out[0] = x[0];
            return;
        }
        let p = smallest_factor(length);
        let m = length / p;
        for (r, out) in out.chunks_exact_mut(m).enumerate() {
            self.part(&x[r * step..], step * p, out, terms);
        }
        for k in 0..m {
            for r in 0..p {
                terms[r] = product(out[r * m + k], self.roots[r * k * step]);
            }
            for q in 0..p {
                let mut sum = terms[0];
                // The p-th roots, of which only their place in the circle counts.
                let (mut place, turn) = (0, q * m * step);
                for term in &terms[1..p] {
                    place += turn;
                    if place >= self.length {
                        place -= self.length;
                    }
                    add(&mut sum, product(*term, self.roots[place]));
                }
                out[q * m + k] = sum;
            }
        }
    }
}

impl Chirp {
    fn run(&self, x: &[Complex], out: &mut [Complex]) {
        let long = self.forth.length;
        let (mut a, mut b) = (vec![[0.0; 2]; long], vec![[0.0; 2]; long]);
        for ((a, x), factor) in a.iter_mut().zip(x).zip(&self.factors) {
            *a = product(*x, *factor);
        }
        self.forth.run(&a, &mut b);
        b.iter_mut().zip(&self.spectrum).for_each(|(b, tap)| *b = product(*b, *tap));
        self.back.run(&b, &mut a);
        for ((out, a), factor) in out.iter_mut().zip(&a).zip(&self.factors) {
            let [re, im] = product(*a, *factor);
            *out = [re / long as f64, im / long as f64];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_the_sum_that_it_stands_for() {
        for length in [1, 2, 3, 4, 5, 6, 12, 30, 61, 64, 67, 97, 134, 400] {
            let x: Vec<Complex> = (0..length)
                .map(|i| [((i * 7 % 11) as f64) - 5.0, ((i * 5 % 13) as f64) / 3.0])
                .collect();
            for inverse in [false, true] {
                let mut out = vec![[0.0; 2]; length];
                Dft::new(length, inverse).run(&x, &mut out);
                for (k, found) in out.iter().enumerate() {
                    let mut sum = [0.0; 2];
                    for (j, x) in x.iter().enumerate() {
                        let [re, im] = root(j * k % length, length);
                        add(&mut sum, product(*x, if inverse { [re, im] } else { [re, -im] }));
                    }
                    let off = (sum[0] - found[0]).abs() + (sum[1] - found[1]).abs();
                    assert!(off < 1e-8 * length as f64, "{length} {inverse} {k}: {off}");
                }
            }
        }
    }
}
