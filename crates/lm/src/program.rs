use crate::build::Inputs;
use crate::{KvCache, PAGE, Row, RowInput, Sequence, Wants};
use sidestage_cpu::Executor;
use sidestage_ir::ValueId;

/// A plan of a decoder, and the values through which it is used.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) executor: Executor,
    pub(crate) inputs: Inputs,
    pub(crate) hidden: ValueId,
    pub(crate) logits: ValueId,
    /// Rows and outputs that it always computes; `None`: as many as there are.
    pub(crate) fixed: Option<(usize, usize)>,
}

impl Program {
    /// Starts a step: writes its inputs. `pages` are those of a full context.
    pub(crate) fn begin(
        &mut self,
        rows: &[Row],
        sequences: &[Sequence],
        cache: &KvCache,
        pages: usize,
    ) {
        let Self { executor, inputs, fixed, .. } = self;
        let wanted = rows.iter().filter(|row| row.wants == Wants::Output).count();
        match fixed {
            None => executor.begin(&[rows.len(), sequences.len(), wanted]),
            // Rows that nobody asked for take the first position of some sequence, and are not kept.
            Some(_) => {
                executor.begin(&[]);
                for (input, usual) in [
                    (inputs.tokens, 0),
                    (inputs.positions, 0),
                    (inputs.slots, -1),
                    (inputs.sequences, 0),
                    (inputs.wanted, 0),
                ] {
                    executor.input::<i32>(input).fill(usual);
                }
            }
        }
        for (index, row) in rows.iter().enumerate() {
            let token = match (&row.input, inputs.vectors) {
                (RowInput::Token(token), _) => *token as i32,
                (RowInput::Vector(vector), Some(vectors)) => {
                    let span = index * vector.len()..(index + 1) * vector.len();
                    executor.input::<f32>(vectors)[span].copy_from_slice(vector);
                    -1
                }
                (RowInput::Vector(_), None) => -1,
            };
            executor.input::<i32>(inputs.tokens)[index] = token;
            executor.input::<i32>(inputs.positions)[index] = row.position as i32;
            let position = row.position as usize;
            let page = cache.table(row.sequence)[position / PAGE] as usize;
            executor.input::<i32>(inputs.slots)[index] = (page * PAGE + position % PAGE) as i32;
            let sequence = sequences.iter().position(|sequence| *sequence == row.sequence);
            executor.input::<i32>(inputs.sequences)[index] = sequence.unwrap_or(0) as i32;
        }
        let tables = executor.input::<i32>(inputs.tables);
        tables.fill(-1);
        for (sequence, table) in sequences.iter().zip(tables.chunks_exact_mut(pages)) {
            for (to, page) in table.iter_mut().zip(cache.table(*sequence)) {
                *to = *page as i32;
            }
        }
        let list = executor.input::<i32>(inputs.wanted);
        let wanting = rows.iter().enumerate().filter(|(_, row)| row.wants == Wants::Output);
        for (to, (index, _)) in list.iter_mut().zip(wanting) {
            *to = index as i32;
        }
    }
}
