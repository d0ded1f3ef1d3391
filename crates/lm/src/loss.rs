use crate::{Decoder, LmError, MAX_OUTPUTS, MAX_ROWS, Row, RowInput, Wants, likeliest};
use sidestage_pool::Pool;

impl Decoder {
    /// The negative log-likelihood of `tokens[from..]` after the tokens before each, in nats, summed: the
    /// first token stands at position 0 and is never counted. Divided by their number, it is the logarithm
    /// of the perplexity.
    ///
    /// # Errors
    /// A token that cannot be, more tokens than positions, or a cache that others fill.
    pub fn loss(&mut self, pool: &Pool, tokens: &[u32], from: usize) -> Result<f64, LmError> {
        let sequence = self.cache().create();
        // What follows the last token is not asked for, so it is not evaluated.
        let (mut sum, last, mut at) = (0.0, tokens.len().saturating_sub(1), 0);
        let wanted = from.saturating_sub(1);
        while at < last {
            let (end, wants) = if at < wanted {
                (wanted.min(at + MAX_ROWS), Wants::Nothing)
            } else {
                (last.min(at + MAX_OUTPUTS), Wants::Output)
            };
            let row = |(position, &token): (usize, &u32)| {
                let (position, input) = (position as u32, RowInput::Token(token));
                Row { sequence, position, input, wants }
            };
            let rows: Vec<Row> = (at..).zip(&tokens[at..end.min(last)]).map(row).collect();
            if let Err(error) = self.begin(&rows) {
                self.cache().remove(sequence);
                return Err(error);
            }
            self.resume(pool, &mut || false);
            if wants == Wants::Output {
                let next = tokens[at + 1..].iter().take(rows.len()).enumerate();
                sum += next.map(|(output, &id)| surprise(self.logits(output), id)).sum::<f64>();
            }
            at += rows.len();
        }
        self.cache().remove(sequence);
        Ok(sum)
    }
}

/// How unlikely these logits make a token: the negative logarithm of its probability.
fn surprise(logits: &[f32], token: u32) -> f64 {
    let most = f64::from(likeliest(logits).1);
    let total: f64 = logits.iter().map(|logit| (f64::from(*logit) - most).exp()).sum();
    most + total.ln() - f64::from(logits.get(token as usize).copied().unwrap_or(f32::NEG_INFINITY))
}
