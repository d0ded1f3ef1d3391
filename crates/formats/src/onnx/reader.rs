//! The file as it comes: a weight's bytes go where they stay, all else is kept until the end.

use super::{External, OnnxError, build, proto};
use sidestage_ir::Model;
use sidestage_tensor::AlignedBytes;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The bytes of a weight of at least this size are not kept with the other fields.
const LARGE: u64 = 4 << 10;

/// No file has this name: a weight's bytes that were taken out are the file's next.
const TAKEN_OUT: &str = "\0";

/// Reads a file whose bytes come one after the other.
#[derive(Debug, Default)]
pub struct Reader {
    /// The file's length, where it is known.
    length: Option<u64>,
    /// Bytes read.
    position: u64,
    /// The ends of the messages around: of a `GraphProto`, and of a `TensorProto` in it.
    ends: Vec<u64>,
    /// Fields of `ModelProto`, of the graph, of the tensor, without what goes elsewhere.
    kept: [Vec<u8>; 3],
    /// A field's key, and its length or number.
    head: Vec<u8>,
    state: State,
    /// The bytes of the tensor around.
    bytes: Option<AlignedBytes>,
    taken_out: Vec<Arc<AlignedBytes>>,
}

#[derive(Debug, Default)]
enum State {
    /// The head of a field.
    #[default]
    Head,
    /// So many bytes more are kept.
    Copy(u64),
    /// A weight's bytes that are there, and how many there will be.
    Bytes(AlignedBytes, usize),
}

impl Reader {
    /// For a file of this length, if it is known.
    pub fn new(length: Option<u64>) -> Self {
        Self { length, ..Self::default() }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), OnnxError> {
        while !bytes.is_empty() {
            let took = match &mut self.state {
                State::Head => {
                    self.head.push(bytes[0]);
                    1
                }
                State::Copy(left) => {
                    let took = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    self.kept[self.ends.len()].extend_from_slice(&bytes[..took]);
                    *left -= took as u64;
                    took
                }
                State::Bytes(room, length) => {
                    let took = bytes.len().min(*length - room.len());
                    let memory = |_| OnnxError::NoMemory { bytes: *length };
                    room.extend(&bytes[..took]).map_err(memory)?;
                    took
                }
            };
            self.position += took as u64;
            bytes = &bytes[took..];
            self.settle()?;
        }
        Ok(())
    }

    /// Goes on where a head, a field or a message is whole.
    fn settle(&mut self) -> Result<(), OnnxError> {
        match std::mem::take(&mut self.state) {
            State::Head => {
                let Some((number, kind, value)) = head(&self.head)? else { return Ok(()) };
                self.field(number, kind, value)?;
            }
            State::Bytes(room, length) if length == room.len() => self.bytes = Some(room),
            State::Copy(0) => {}
            state => self.state = state,
        }
        while matches!(self.state, State::Head | State::Copy(0))
            && self.ends.last() == Some(&self.position)
        {
            self.leave();
        }
        if matches!(self.state, State::Copy(0)) {
            self.state = State::Head;
        }
        Ok(())
    }

    /// A field whose head is whole.
    fn field(&mut self, number: u64, kind: u64, value: u64) -> Result<(), OnnxError> {
        let length = match kind {
            0 => 0,
            1 => 8,
            5 => 4,
            _ => value,
        };
        let end = self.position.checked_add(length);
        let most = self.ends.last().copied().or(self.length).unwrap_or(u64::MAX);
        let end = end.filter(|end| *end <= most).ok_or(OnnxError::Truncated)?;
        let depth = self.ends.len();
        match (depth, number) {
            (0, 7) if kind == 2 => self.ends.push(end),
            (1, 5) if kind == 2 && length >= LARGE => self.ends.push(end),
            (2, 9) if kind == 2 && length >= LARGE => {
                let memory = |_| OnnxError::NoMemory { bytes: length as usize };
                let length = usize::try_from(length).map_err(|_| OnnxError::Truncated)?;
                let room = AlignedBytes::with_capacity(length).map_err(memory)?;
                self.state = State::Bytes(room, length);
            }
            _ => {
                self.kept[depth].extend_from_slice(&self.head);
                self.state = State::Copy(length);
            }
        }
        self.head.clear();
        Ok(())
    }

    /// A message has ended.
    fn leave(&mut self) {
        self.ends.pop();
        // A graph is joined to its model at the end: it may come in pieces.
        if self.ends.len() == 1 {
            let mut tensor = std::mem::take(&mut self.kept[2]);
            if let Some(bytes) = self.bytes.take() {
                tensor = self.take_out(bytes, tensor);
            }
            write(&mut self.kept[1], 5, &tensor);
        }
    }

    /// The fields of a tensor that has lost its bytes, and where they went.
    fn take_out(&mut self, bytes: AlignedBytes, fields: Vec<u8>) -> Vec<u8> {
        let mut tensor = Vec::with_capacity(fields.len() + 64);
        for (key, value) in [
            ("location", TAKEN_OUT.to_owned()),
            ("offset", self.taken_out.len().to_string()),
            ("length", bytes.len().to_string()),
        ] {
            let mut entry = Vec::new();
            write(&mut entry, 1, key.as_bytes());
            write(&mut entry, 2, value.as_bytes());
            // `external_data`, of which the first entry counts.
            write(&mut tensor, 13, &entry);
        }
        tensor.extend(fields);
        // `data_location`, of which the last counts.
        tensor.extend([14 << 3, 1]);
        self.taken_out.push(Arc::new(bytes));
        tensor
    }

    /// The file has ended.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn finish(self) -> Result<Unplaced, OnnxError> {
        let whole = self.ends.is_empty() && self.head.is_empty();
        if !whole || !matches!(self.state, State::Head) {
            return Err(OnnxError::Truncated);
        }
        let [mut message, graph, _] = self.kept;
        if !graph.is_empty() {
            write(&mut message, 7, &graph);
        }
        let mut parts = Vec::new();
        proto::Model::read(&message)?.places(&mut parts)?;
        parts.retain(|part| part.location != TAKEN_OUT);
        parts.sort();
        parts.dedup();
        Ok(Unplaced { message, taken_out: self.taken_out, parts })
    }
}

/// A file that was read, whose weights may lie in others.
#[derive(Debug)]
pub struct Unplaced {
    message: Vec<u8>,
    taken_out: Vec<Arc<AlignedBytes>>,
    parts: Vec<External>,
}

impl Unplaced {
    /// What lies in other files, by file and offset.
    pub fn parts(&self) -> &[External] {
        &self.parts
    }

    /// The operators that are called, but for the model's own functions.
    pub fn ops(&self) -> BTreeSet<String> {
        proto::Model::read(&self.message).map(|model| model.ops()).unwrap_or_default()
    }

    /// Whether it has an input of this name.
    pub fn takes(&self, name: &str) -> bool {
        let graph = proto::Model::read(&self.message).ok().and_then(|model| model.graph);
        graph.is_some_and(|graph| graph.inputs.iter().any(|input| input.name == name))
    }

    /// The model, with the bytes of [`Unplaced::parts`].
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn place(self, parts: Vec<Arc<AlignedBytes>>) -> Result<Model, OnnxError> {
        let model = proto::Model::read(&self.message)?;
        build::model(&model, &mut |place| {
            if place.location == TAKEN_OUT {
                return self.taken_out.get(usize::try_from(place.offset).ok()?).cloned();
            }
            parts.get(self.parts.binary_search(place).ok()?).cloned()
        })
    }
}

/// A field's number, its kind and what follows: the length of bytes, or a number. `None`: there is more
/// to come.
fn head(bytes: &[u8]) -> Result<Option<(u64, u64, u64)>, OnnxError> {
    let Some((key, rest)) = varint(bytes)? else { return Ok(None) };
    match key & 7 {
        kind @ (0 | 2) => Ok(varint(rest)?.map(|(value, _)| (key >> 3, kind, value))),
        kind @ (1 | 5) => Ok(Some((key >> 3, kind, 0))),
        _ => {
            let problem = "a field of a kind that there is not";
            Err(OnnxError::Malformed { message: "ModelProto", problem })
        }
    }
}

fn varint(bytes: &[u8]) -> Result<Option<(u64, &[u8])>, OnnxError> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if at == 10 {
            let problem = "a number without an end";
            return Err(OnnxError::Malformed { message: "ModelProto", problem });
        }
        value |= u64::from(byte & 127) << (7 * at);
        if *byte < 128 {
            return Ok(Some((value, &bytes[at + 1..])));
        }
    }
    Ok(None)
}

/// A field of bytes.
fn write(to: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    to.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 128 {
        to.push(length as u8 | 128);
        length >>= 7;
    }
    to.push(length as u8);
    to.extend_from_slice(bytes);
}
