//! Decoders that are models of calls, as ONNX files have them: their past comes in and goes out, a token
//! longer each time.
//!
//! When such a model is loaded, its attention over the past is found ([`sites`]), what it does to scores is
//! found out by evaluating the small parts of the model that say it ([`probe`]), and it is replaced by
//! attention over the KV cache ([`rewrite`]). The past, its length and the mask are gone then, and positions
//! are an input: the graph is planned for a few numbers of rows, and no plan depends on the past.

mod net;
mod probe;
mod rewrite;
mod sites;

use crate::build::Inputs;
use crate::decoder::DEFAULT_CONTEXT;
use crate::program::Program;
use crate::{
    Decoder, DecoderOptions, LmError, MAX_OUTPUTS, MAX_ROWS, MAX_SEQUENCES, Memory, PAGE, Weights,
};
use net::{Net, Ports};
use rewrite::Rewrite;
use sidestage_cpu::Executor;
use sidestage_ir::{
    Dim, Given, Graph, Memo, Model, Outcome, Plan, Segment, Trace, ValueId, ValueType,
};
use sidestage_tensor::{DType, Tensor};
use std::sync::Arc;

/// Rows of the programs. A step takes the smallest that holds it: rows that are too many cost a prompt's
/// last step up to four times its products, but no more than its weights are read once either way below
/// eight.
const ROWS: [usize; 4] = [1, 8, 32, MAX_ROWS];

/// No decoder has so many nodes.
const MOST_NODES: usize = 1 << 17;

fn refused(problem: impl Into<String>) -> LmError {
    LmError::Traced { problem: problem.into() }
}

impl Decoder {
    /// Whether a model of calls has the inputs and outputs of a decoder: tokens and a past, logits.
    pub fn is_one(model: &Model) -> bool {
        Ports::find(model).is_ok()
    }

    /// The decoder that is a model of calls.
    ///
    /// # Errors
    /// What is no decoder, or not one whose attention can be found; a plan over `limit` bytes, or memory
    /// that the allocator refuses.
    pub fn of_model(
        mut model: Model,
        options: DecoderOptions,
        limit: Option<u64>,
    ) -> Result<Self, LmError> {
        Trace::check(&model, sidestage_ops::lowering).map_err(|e| refused(e.to_string()))?;
        rewrite::split_weights(&mut model);
        model.fold(sidestage_ops::decoder_lowering);
        let ports = Ports::find(&model)?;
        let net = Net::new(&model, ports.logits);
        let mut found = sites::find(&net, &ports)?;
        let trained = net.positions_there_are(&ports, &found);
        let context_length = options.context_length.unwrap_or(DEFAULT_CONTEXT).min(trained).max(1);
        let positions = probe::settle(&model, &ports, &net, &mut found, context_length)?;
        let rewrite =
            Rewrite { model: &model, ports: &ports, sites: &found, positions: &positions };
        // The programs share what they make of weights.
        let memo = Memo::default();
        let planned = |rows: usize, past: usize| -> Result<Planned, LmError> {
            let shape = rewrite::Shape { rows, past, pages: context_length.div_ceil(PAGE) };
            let model = rewrite.decoder(shape, options.kv_type)?;
            Planned::new(model, shape, memo.clone())
        };
        let one = planned(1, 0)?;
        if one.describe() != planned(1, 3)?.describe() {
            let problem =
                "what it computes depends on the length of its past in a way that is not known";
            return Err(refused(problem));
        }
        let (vocab_size, width) = (one.width(one.logits), one.width(one.hidden));
        let mut all = vec![one];
        for rows in &ROWS[1..] {
            all.push(planned(*rows, 0)?);
        }
        let mut memory = Memory::default();
        // Each once: the programs share them.
        let mut weights = Vec::new();
        let mut plans = Vec::new();
        for planned in all {
            let Planned { graph, inputs, hidden, logits, fixed } = planned;
            for constant in &graph.constants {
                if !weights.iter().any(|known: &Tensor| known.shares(constant)) {
                    memory.weights += constant.bytes().len() as u64;
                    weights.push(constant.clone());
                }
            }
            let plan = Plan::new(graph)?;
            memory.scratch += plan.arena_bytes as u64;
            let page = |id: &ValueId| plan.graph.value(*id).ty.bytes(&[]).unwrap_or(0) as u64;
            let page: u64 = plan.states.iter().map(page).sum();
            memory.kv_cache = page * context_length.div_ceil(PAGE) as u64;
            plans.push((plan, inputs, hidden, logits, fixed));
        }
        let needed = memory.total();
        match limit {
            Some(limit) if needed > limit => return Err(LmError::Memory { needed, limit }),
            _ => {}
        }
        let mut programs = Vec::new();
        for (plan, inputs, hidden, logits, fixed) in plans {
            let refused = LmError::refused("scratch", plan.arena_bytes);
            let weights = Weights::allocate(&[]).map_err(LmError::refused("weights", 0))?;
            let executor = Executor::new(plan, weights).map_err(refused)?;
            programs.push(Program { executor, inputs, hidden, logits, fixed: Some(fixed) });
        }
        Ok(Self::of_programs(programs, (vocab_size, width), context_length, memory))
    }
}

/// A graph for a number of rows.
struct Planned {
    graph: Graph,
    inputs: Inputs,
    hidden: ValueId,
    logits: ValueId,
    fixed: (usize, usize),
}

impl Planned {
    fn new(model: Model, shape: rewrite::Shape, memo: Memo) -> Result<Self, LmError> {
        let outputs = shape.outputs();
        let of = |dims: &[usize]| Given::Tensor(ValueType::fixed(DType::I32, dims));
        let rows = || of(&[shape.rows]);
        let tables = of(&[MAX_SEQUENCES, shape.pages]);
        // As `Rewrite::decoder` orders them.
        let given = [rows(), rows(), rows(), rows(), tables, of(&[outputs])];
        let trace = Trace::new(Arc::new(model), sidestage_ops::decoder_lowering, &given);
        let segment =
            trace.and_then(|trace| trace.with_memo(memo).with_most(MOST_NODES).segment(&[]));
        let Segment { mut graph, feeds, gives, outcome, .. } =
            segment.map_err(|error| refused(error.to_string()))?;
        graph.rewrite(sidestage_ops::PASSES);
        let Some(outcome) = outcome else {
            return Err(refused("what it computes depends on the values of its tokens"));
        };
        let input = |register: usize| {
            let fed = feeds.iter().find(|(fed, _)| *fed == register);
            fed.map(|(_, id)| *id)
                .ok_or_else(|| refused("its attention or its tokens are not used"))
        };
        let output = |at: usize| match outcome.get(at) {
            Some(Outcome::Register(register, _)) => {
                let given = gives.iter().find(|(given, _)| given == register);
                given.map(|(_, id)| *id).ok_or_else(|| refused("an output is not computed"))
            }
            _ => Err(refused("its logits do not depend on its tokens")),
        };
        let inputs = Inputs {
            tokens: input(0)?,
            vectors: None,
            positions: input(1)?,
            slots: input(2)?,
            sequences: input(3)?,
            tables: input(4)?,
            wanted: input(5)?,
        };
        let (hidden, logits) = (output(0)?, output(1)?);
        let planned = Self { graph, inputs, hidden, logits, fixed: (shape.rows, outputs) };
        for id in [hidden, logits] {
            let ty = &planned.graph.value(id).ty;
            let rows: usize = ty.extents(&[]).dims().iter().rev().skip(1).product();
            if rows != outputs || ty.dtype != DType::F32 {
                return Err(refused("it gives no logits for each of its tokens"));
            }
        }
        Ok(planned)
    }

    fn width(&self, id: ValueId) -> usize {
        self.graph.value(id).ty.inner().unwrap_or(0)
    }

    /// All that it computes, to be compared.
    fn describe(&self) -> (Vec<String>, Vec<Vec<Dim>>, Vec<Tensor>) {
        let node = |node: &sidestage_ir::Node| {
            format!("{:?} {:?} {:?}", node.op, node.inputs, node.outputs)
        };
        let dims = self.graph.values.iter().map(|value| value.ty.dims.clone());
        let nodes = self.graph.nodes.iter().map(node).collect();
        (nodes, dims.collect(), self.graph.constants.clone())
    }
}

impl rewrite::Shape {
    fn outputs(self) -> usize {
        self.rows.min(MAX_OUTPUTS)
    }
}
