//! Numbers of 4 and 8 bits with a fraction (ONNX, "Float stored in 8 bits" and "Float stored in 4
//! bits"): each in a byte.

use sidestage_tensor::DType;

/// How the bits of a type are read.
struct Layout {
    /// Bits after the exponent.
    mantissa: u32,
    /// What the exponent is more than it means.
    bias: i32,
    /// The largest number's bits.
    most: u8,
    /// The bit of the sign.
    sign: u8,
    /// What is no number, and infinity; both the largest number where there is no such thing.
    nan: u8,
    infinity: u8,
}

const fn layout(mantissa: u32, bias: i32, most: u8, sign: u8, nan: u8, infinity: u8) -> Layout {
    Layout { mantissa, bias, most, sign, nan, infinity }
}

fn of(dtype: DType) -> Layout {
    match dtype {
        DType::F8E4M3 => layout(3, 7, 0x7e, 0x80, 0x7f, 0x7e),
        DType::F8E4M3UZ => layout(3, 8, 0x7f, 0x80, 0x80, 0x7f),
        DType::F8E5M2 => layout(2, 15, 0x7b, 0x80, 0x7f, 0x7c),
        DType::F8E5M2UZ => layout(2, 16, 0x7f, 0x80, 0x80, 0x7f),
        _ => layout(1, 1, 0x7, 0x8, 0x8, 0x7),
    }
}

/// The number of these bits.
pub(super) fn decode(dtype: DType, bits: u8) -> f64 {
    if dtype == DType::F8E8M0 {
        return if bits == 0xff { f64::NAN } else { 2_f64.powi(i32::from(bits) - 127) };
    }
    let layout = of(dtype);
    let (low, negative) = (bits & (layout.sign - 1), bits & layout.sign != 0);
    // Where there is no negative 0 its bits are no number.
    let number = match dtype {
        DType::F8E4M3UZ | DType::F8E5M2UZ if bits == layout.nan => f64::NAN,
        DType::F8E5M2 if low == layout.infinity => f64::INFINITY,
        _ if low > layout.most => f64::NAN,
        _ => magnitude(&layout, low),
    };
    if negative { -number } else { number }
}

fn magnitude(layout: &Layout, low: u8) -> f64 {
    let one = 1 << layout.mantissa;
    let (exponent, rest) = (i32::from(low >> layout.mantissa), i32::from(low) & (one - 1));
    let (exponent, rest) = if exponent == 0 { (1, rest) } else { (exponent, rest + one) };
    f64::from(rest) * 2_f64.powi(exponent - layout.bias - layout.mantissa as i32)
}

/// The bits of the nearest number, of two those with an even last bit; of what is too large those of the
/// largest.
pub(super) fn encode(dtype: DType, x: f64) -> u8 {
    if dtype == DType::F8E8M0 {
        // Up to the next power of two: a scale that nothing is too large for.
        return match x {
            x if x.is_nan() => 0xff,
            x => {
                let above = (0..0xfe).find(|bits| decode(dtype, *bits) >= x);
                above.unwrap_or(0xfe)
            }
        };
    }
    let layout = of(dtype);
    let no_zero = matches!(dtype, DType::F8E4M3UZ | DType::F8E5M2UZ);
    if x.is_nan() {
        return layout.nan;
    }
    let size = x.abs();
    // The bits of larger numbers are larger.
    let (mut low, mut high) = (0, layout.most);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if magnitude(&layout, middle) <= size {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    if low < layout.most {
        let (below, above) = (size - magnitude(&layout, low), magnitude(&layout, low + 1) - size);
        if above < below || above == below && low & 1 == 1 {
            low += 1;
        }
    }
    let negative = x.is_sign_negative() && !(no_zero && low == 0);
    if negative { low | layout.sign } else { low }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use sidestage_tensor::DType;

    #[test]
    fn every_number_is_what_it_was() {
        let eights = [DType::F8E4M3, DType::F8E4M3UZ, DType::F8E5M2, DType::F8E5M2UZ];
        for dtype in eights.into_iter().chain([DType::F4E2M1, DType::F8E8M0]) {
            let all = if dtype == DType::F4E2M1 { 0..=15 } else { 0..=255 };
            for bits in all {
                let x = decode(dtype, bits);
                if x.is_finite() {
                    assert_eq!(encode(dtype, x), bits, "{dtype} {x}");
                }
            }
        }
        assert_eq!(decode(DType::F8E4M3, 0x7e), 448.0);
        assert_eq!(decode(DType::F8E4M3UZ, 0x7f), 240.0);
        assert_eq!(decode(DType::F8E5M2, 0x7b), 57344.0);
        assert_eq!(decode(DType::F8E5M2UZ, 0x7f), 57344.0);
        assert_eq!(decode(DType::F4E2M1, 0x7), 6.0);
        assert_eq!(encode(DType::F4E2M1, 2.5), encode(DType::F4E2M1, 2.0));
        assert_eq!(encode(DType::F8E4M3, -1e9), 0xfe);
    }
}
