//! Elements of any plain type, one by one, as the widest type of their kind: the way of all types and
//! functions that have no loop of their own. It is slow, and small.

mod binary;
mod cast;
mod reduce;
mod single;
mod small;
mod unary;

pub use binary::Binary;
pub use cast::cast;
pub use reduce::Reduction;
pub use unary::Unary;

use half::{bf16, f16};
use sidestage_tensor::DType;

/// A type that holds every element of some types.
pub trait Wide: Copy + 'static {
    /// How an element of this type is read; `None`: it is of another kind.
    fn load(dtype: DType) -> Option<fn(&[u8], usize) -> Self>;
    /// How one is written: rounded to the nearest, or cut to its lowest bits.
    fn store(dtype: DType) -> Option<fn(&mut [u8], usize, Self)>;
}

/// The kinds of plain types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WideKind {
    /// [`f64`].
    Float,
    /// [`i64`]; truth values are 0 and 1.
    Int,
    /// [`u64`].
    Uint,
}

/// The kind of a type; `None` for quantised ones.
pub fn wide_kind(dtype: DType) -> Option<WideKind> {
    Some(match dtype {
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => WideKind::Float,
        DType::F8E4M3 | DType::F8E4M3UZ | DType::F8E5M2 | DType::F8E5M2UZ => WideKind::Float,
        DType::F4E2M1 | DType::F8E8M0 => WideKind::Float,
        DType::I4 | DType::I2 => WideKind::Int,
        DType::U4 | DType::U2 => WideKind::Uint,
        DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::Bool => WideKind::Int,
        DType::U8 | DType::U16 | DType::U32 | DType::U64 => WideKind::Uint,
        _ => return None,
    })
}

fn at<const N: usize>(bytes: &[u8], index: usize) -> [u8; N] {
    bytes.as_chunks().0[index]
}

fn at_mut<const N: usize>(bytes: &mut [u8], index: usize) -> &mut [u8; N] {
    &mut bytes.as_chunks_mut().0[index]
}

impl Wide for f64 {
    fn load(dtype: DType) -> Option<fn(&[u8], usize) -> Self> {
        Some(match dtype {
            DType::F64 => |bytes, i| Self::from_le_bytes(at(bytes, i)),
            DType::F32 => |bytes, i| f32::from_le_bytes(at(bytes, i)).into(),
            DType::F16 => |bytes, i| f16::from_le_bytes(at(bytes, i)).into(),
            DType::BF16 => |bytes, i| bf16::from_le_bytes(at(bytes, i)).into(),
            DType::F8E4M3 => |bytes, i| small::decode(DType::F8E4M3, bytes[i]),
            DType::F8E4M3UZ => |bytes, i| small::decode(DType::F8E4M3UZ, bytes[i]),
            DType::F8E5M2 => |bytes, i| small::decode(DType::F8E5M2, bytes[i]),
            DType::F8E5M2UZ => |bytes, i| small::decode(DType::F8E5M2UZ, bytes[i]),
            DType::F4E2M1 => |bytes, i| small::decode(DType::F4E2M1, bytes[i]),
            DType::F8E8M0 => |bytes, i| small::decode(DType::F8E8M0, bytes[i]),
            _ => return None,
        })
    }

    fn store(dtype: DType) -> Option<fn(&mut [u8], usize, Self)> {
        Some(match dtype {
            DType::F64 => |bytes, i, value| *at_mut(bytes, i) = value.to_le_bytes(),
            DType::F32 => |bytes, i, value| *at_mut(bytes, i) = (value as f32).to_le_bytes(),
            DType::F16 => |bytes, i, value| *at_mut(bytes, i) = f16::from_f64(value).to_le_bytes(),
            DType::BF16 => {
                |bytes, i, value| *at_mut(bytes, i) = bf16::from_f64(value).to_le_bytes()
            }
            DType::F8E4M3 => |bytes, i, x| bytes[i] = small::encode(DType::F8E4M3, x),
            DType::F8E4M3UZ => |bytes, i, x| bytes[i] = small::encode(DType::F8E4M3UZ, x),
            DType::F8E5M2 => |bytes, i, x| bytes[i] = small::encode(DType::F8E5M2, x),
            DType::F8E5M2UZ => |bytes, i, x| bytes[i] = small::encode(DType::F8E5M2UZ, x),
            DType::F4E2M1 => |bytes, i, x| bytes[i] = small::encode(DType::F4E2M1, x),
            DType::F8E8M0 => |bytes, i, x| bytes[i] = small::encode(DType::F8E8M0, x),
            _ => return None,
        })
    }
}

macro_rules! integers {
    ($wide:ty: $($dtype:ident $type:ty),*; $($few:ident $bits:literal $byte:ty),*) => {
        impl Wide for $wide {
            fn load(dtype: DType) -> Option<fn(&[u8], usize) -> Self> {
                Some(match dtype {
                    DType::Bool => |bytes, i| (bytes[i] != 0).into(),
                    $(DType::$dtype => |bytes, i| <$type>::from_le_bytes(at(bytes, i)).into(),)*
                    $(DType::$few => |bytes, i| (bytes[i] as $byte).into(),)*
                    _ => return None,
                })
            }

            fn store(dtype: DType) -> Option<fn(&mut [u8], usize, Self)> {
                Some(match dtype {
                    DType::Bool => |bytes, i, value| bytes[i] = (value != 0).into(),
                    $(DType::$dtype => |bytes, i, value| {
                        *at_mut(bytes, i) = (value as $type).to_le_bytes();
                    },)*
                    // The lowest bits, the sign in those above.
                    $(DType::$few => |bytes, i, value| {
                        bytes[i] = ((value as $byte) << (8 - $bits) >> (8 - $bits)) as u8;
                    },)*
                    _ => return None,
                })
            }
        }
    };
}

integers!(i64: I8 i8, I16 i16, I32 i32, I64 i64; I4 4 i8, I2 2 i8);
integers!(u64: U8 u8, U16 u16, U32 u32, U64 u64; U4 4 u8, U2 2 u8);
