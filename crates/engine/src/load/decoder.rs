//! A graph model that is a decoder: a language model as others are.

use super::Load;
use super::folder::Words;
use super::info::memory_plan;
use crate::protocol::{Effect, ErrorInfo, ModelInfo};
use crate::session::Session;
use crate::threads;
use sidestage_ir::Model;
use sidestage_lm::Decoder;
use sidestage_pool::Pool;
use std::hash::{DefaultHasher, Hash, Hasher};

impl Load {
    /// The decoder, with the words that lie beside it.
    pub(super) fn decoder(
        &self,
        model: Model,
        words: Words,
        info: ModelInfo,
        (pool, clock): (&Pool, &dyn Fn() -> f64),
        effects: &mut Vec<Effect>,
    ) -> Result<Session, ErrorInfo> {
        let hash = self.hash_of(&model);
        let decoder = Decoder::of_model(model, self.options.decoder, self.options.memory_limit);
        let mut decoder = decoder.map_err(|error| {
            let told = ErrorInfo::from(error);
            match told.hint {
                Some(_) => told,
                None => told.hint("Load it with task: \"run\" to run it as a graph."),
            }
        })?;
        let found = match &self.options.auto {
            None => threads::Found::default(),
            Some(earlier) => threads::find(hash, earlier.clone(), &mut decoder, pool, clock),
        };
        effects.extend(found.figure.map(|figure| Effect::Remember { figure }));
        let load_ms = clock() - self.started;
        let Words { text, problem, defaults, model_type, .. } = words;
        let context_length = decoder.context_length();
        let mut warnings = info.warnings.clone();
        warnings.extend(problem);
        warnings.extend(self.lowered(context_length, context_length));
        let info = ModelInfo {
            architecture: model_type.unwrap_or_else(|| "decoder".into()),
            context_length: context_length as u32,
            trained_context_length: context_length as u32,
            vocab_size: decoder.vocab_size() as u32,
            has_tokenizer: text.is_some(),
            has_chat_template: text.as_ref().is_some_and(|text| text.has_chat_template),
            threads_reason: found.reason,
            memory: memory_plan(decoder.memory()),
            warnings,
            ..self.info(info, pool, load_ms)
        };
        let mut session = Session::new(info, decoder, text, defaults);
        session.metrics.load_ms = load_ms;
        session.metrics.measure_ms = found.ms;
        session.metrics.bytes_read = self.done[0];
        Ok(session)
    }

    /// Of what the model's speed hangs on.
    fn hash_of(&self, model: &Model) -> String {
        let mut hasher = DefaultHasher::new();
        self.options.decoder.kv_type.name().hash(&mut hasher);
        for (_, tensor) in &model.constants {
            (tensor.dtype().name(), tensor.dims()).hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }
}
