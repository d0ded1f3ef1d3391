//! Nodes of a graph, or of a function, and the names by which they know each other.

use super::TfjsError;
use super::json::Json;
use std::collections::HashMap;

/// One result of a node.
pub(super) type Place = (usize, usize);

#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) op: &'a str,
    /// Operands by name; with a `^`, nodes that only have to run before.
    pub(super) inputs: Vec<&'a str>,
    pub(super) attributes: &'a Json,
}

impl<'a> Node<'a> {
    fn read(json: &'a Json) -> Self {
        let inputs = json.get("input").list().iter().filter_map(Json::text);
        Self {
            name: json.get("name").text().unwrap_or_default(),
            op: json.get("op").text().unwrap_or_default(),
            inputs: inputs.collect(),
            attributes: json.get("attr"),
        }
    }
}

/// The nodes of a graph.
#[derive(Debug)]
pub(super) struct Nodes<'a> {
    pub(super) list: Vec<Node<'a>>,
    index: HashMap<&'a str, usize>,
    /// Of each node: how many results are wanted.
    pub(super) results: Vec<usize>,
    /// Of each node: where its operands come from.
    pub(super) operands: Vec<Vec<Place>>,
    /// Of each node: what has to run before.
    pub(super) before: Vec<Vec<Place>>,
}

impl<'a> Nodes<'a> {
    /// `arguments` are the names that a function gives its operands: its first nodes.
    pub(super) fn read(arguments: &[&'a str], json: &'a Json) -> Result<Self, TfjsError> {
        let argument =
            |name: &&'a str| Node { name, op: "_Arg", inputs: Vec::new(), attributes: &Json::Null };
        let list: Vec<Node<'a>> =
            arguments.iter().map(argument).chain(json.list().iter().map(Node::read)).collect();
        let index = list.iter().enumerate().map(|(at, node)| (node.name, at)).collect();
        let (results, none) = (vec![1; list.len()], Vec::new);
        let mut nodes = Self { results, list, index, operands: none(), before: none() };
        for at in 0..nodes.list.len() {
            let node = &nodes.list[at];
            let data = node.inputs.iter().filter(|name| !name.starts_with('^'));
            let places = data.map(|input| nodes.place(input, node.name));
            let places = places.collect::<Result<Vec<Place>, _>>()?;
            let before = node.inputs.iter().filter_map(|name| name.strip_prefix('^'));
            // The converter has taken away much of what only has to run before.
            let before = before.filter_map(|name| nodes.place(name, node.name).ok()).collect();
            for &(node, result) in &places {
                nodes.results[node] = nodes.results[node].max(result + 1);
            }
            nodes.operands.push(places);
            nodes.before.push(before);
        }
        Ok(nodes)
    }

    /// What a name means: `node`, `node:1`, or in functions `node:indices:0`.
    pub(super) fn place(&self, name: &str, node: &str) -> Result<Place, TfjsError> {
        let undefined = || TfjsError::Undefined { name: name.into(), node: node.into() };
        let mut parts = name.split(':');
        let at = *self.index.get(parts.next().unwrap_or_default()).ok_or_else(undefined)?;
        let (result, number) = match (parts.next(), parts.next()) {
            (None, _) => ("", "0"),
            (Some(number), None) => ("", number),
            (Some(result), Some(number)) => (result, number),
        };
        let number: usize = number.parse().map_err(|_| undefined())?;
        // More results than any node has would be room for nothing.
        let result = named(self.list[at].op, result) + number;
        if result < 1 << 16 { Ok((at, result)) } else { Err(undefined()) }
    }

    /// A result that is wanted from outside.
    pub(super) fn want(&mut self, (node, result): Place) {
        self.results[node] = self.results[node].max(result + 1);
    }

    /// What a place is, behind nodes that only hand it on.
    pub(super) fn behind(&self, mut place: Place) -> Place {
        // More would be a ring, or a waste of time.
        for _ in 0..64 {
            match (self.list[place.0].op, self.operands[place.0].first()) {
                ("Identity" | "StopGradient" | "Snapshot", Some(before)) => place = *before,
                _ => break,
            }
        }
        place
    }
}

/// The first result of a name, where it is not a node's first (TensorFlow's `ops.pbtxt`).
fn named(op: &str, result: &str) -> usize {
    match (op, result) {
        ("NonMaxSuppressionV5", "valid_outputs") => 2,
        ("Switch", "output_true")
        | ("Merge", "value_index")
        | ("TensorArrayV3", "flow")
        | ("TopKV2", "indices")
        | ("Unique" | "UniqueV2" | "ListDiff", "idx")
        | ("TensorListPopBack", "tensor")
        | ("TensorListConcat" | "TensorListConcatV2", "lengths")
        | ("MaxPoolWithArgmax", "argmax")
        | ("NonMaxSuppressionV4", "valid_outputs")
        | ("NonMaxSuppressionV5", "selected_scores") => 1,
        _ => 0,
    }
}
