use sidestage_tensor::DType;
use std::fmt;

/// Where one tensor lies in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, unique in the file.
    pub name: String,
    /// Its element type.
    pub dtype: DType,
    /// Its extents, outermost first (GGUF stores them innermost first): the weight of a linear map
    /// from `k` to `n` values is `[n, k]`. Empty for a scalar.
    pub extents: Vec<u64>,
    /// First byte, counted from the start of the file.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

impl TensorInfo {
    /// Elements in all; parsers have checked that the product fits.
    pub fn elements(&self) -> u64 {
        self.extents.iter().product()
    }

    /// The first byte after it. Parsers have checked that the sum fits.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes
    }
}

/// The tensors of a file, in file order and by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightIndex {
    tensors: Vec<TensorInfo>,
    /// Positions in `tensors`, sorted by name: no second copy of the names and no hashing of
    /// strings that a stranger chose.
    by_name: Vec<u32>,
}

impl WeightIndex {
    /// An index of `tensors`, which keep their order.
    ///
    /// # Errors
    /// A name that occurs twice.
    pub fn new(tensors: Vec<TensorInfo>) -> Result<Self, DuplicateName> {
        let by_name = sorted_positions(&tensors, |tensor| &tensor.name)
            .map_err(|at| DuplicateName { name: tensors[at].name.clone() })?;
        Ok(Self { tensors, by_name })
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        self.position(name).map(|at| &self.tensors[at])
    }

    /// The position in file order of the tensor of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        let at =
            self.by_name.binary_search_by(|&at| self.tensors[at as usize].name.as_str().cmp(name));
        at.ok().map(|at| self.by_name[at] as usize)
    }

    /// The tensors in the order of the file's directory.
    pub fn iter(&self) -> std::slice::Iter<'_, TensorInfo> {
        self.tensors.iter()
    }

    /// The tensors in the order of the file's directory.
    pub fn as_slice(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Their number.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none, as in a file that holds a vocabulary only.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }
}

impl<'a> IntoIterator for &'a WeightIndex {
    type Item = &'a TensorInfo;
    type IntoIter = std::slice::Iter<'a, TensorInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Two tensors of one file have the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateName {
    /// That name.
    pub name: String,
}

impl fmt::Display for DuplicateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two tensors are called {:?}", self.name)
    }
}

impl std::error::Error for DuplicateName {}

/// Positions of `items` sorted by name, or the position of one whose name occurs twice.
pub(crate) fn sorted_positions<T>(
    items: &[T],
    name: impl Fn(&T) -> &str,
) -> Result<Vec<u32>, usize> {
    let mut order: Vec<u32> = (0..items.len() as u32).collect();
    order.sort_by(|&a, &b| name(&items[a as usize]).cmp(name(&items[b as usize])));
    for pair in order.windows(2) {
        if name(&items[pair[0] as usize]) == name(&items[pair[1] as usize]) {
            return Err(pair[1] as usize);
        }
    }
    Ok(order)
}
