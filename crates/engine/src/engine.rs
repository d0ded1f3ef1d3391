use crate::buffers::Buffers;
use crate::embed::EncoderSession;
use crate::error::error;
use crate::graph::GraphSession;
use crate::kinds::{Graphs, Language};
use crate::load::{Hands, Load, Loaded};
use crate::protocol::{
    Completion, Effect, EmbedOptions, ErrorInfo, Event, Explanation, LoadOptions, Metrics,
    ModelSource, NamedValue, Outcome, Request, Segment,
};
use crate::session::Session;
use crate::text::{Conversation, Text};
use sidestage_pool::Pool;
use sidestage_store::Orders;
use std::sync::Arc;

/// Milliseconds of the host's clock; only differences count.
pub type Clock = Box<dyn Fn() -> f64>;

/// The engine. See the crate's documentation.
pub struct Engine<T> {
    text: T,
    clock: Clock,
    pool: Arc<Pool>,
    state: State,
    orders: Orders,
    effects: Vec<Effect>,
    buffers: Buffers,
}

enum State {
    Empty,
    Loading(Box<Load>),
    Ready(Box<Session>),
    Graph(Graphs, Box<GraphSession>),
    Encoder(Language, Box<EncoderSession>),
}

impl<T: Text> Engine<T> {
    /// An engine without a model.
    pub fn new(text: T, clock: Clock, pool: Arc<Pool>) -> Self {
        Self {
            text,
            clock,
            pool,
            state: State::Empty,
            orders: Orders::default(),
            effects: Vec::new(),
            buffers: Buffers::default(),
        }
    }

    /// The bytes of runs' inputs and outputs.
    pub fn buffers(&mut self) -> &mut Buffers {
        &mut self.buffers
    }

    /// Takes a request. Everything that comes of it is an effect.
    pub fn request(&mut self, request: Request) {
        let now = (self.clock)();
        match request {
            Request::Load { id, source, options } => self.load(id, source, options, now),
            Request::Abort { id, .. } => self.abort(id),
            Request::Credit { id, count, .. } => {
                if let State::Ready(session) = &mut self.state {
                    session.credit(id, count);
                }
            }
            Request::Generate { id, prompt, options, credits, .. } => {
                let queued = self.session().map(|(session, text)| {
                    session.generate(text, id, prompt, options, credits, now)
                });
                if let Err(error) = queued.and_then(|queued| queued) {
                    self.post(Event::Error { id: Some(id), error });
                }
            }
            Request::Run { id, inputs, outputs, reset, .. } => {
                if let Err(error) = self.queue(id, inputs, outputs, reset, now) {
                    self.post(Event::Error { id: Some(id), error });
                }
            }
            Request::Embed { id, input, options, .. } => {
                if let Err(error) = self.embed(id, input, &options, now) {
                    self.post(Event::Error { id: Some(id), error });
                }
            }
            Request::Tokenize { id, text, add_special, parse_special, .. } => {
                let tokens = self.words().and_then(|room| {
                    Ok(Outcome::Tokens { tokens: room.encode(&text, add_special, parse_special)? })
                });
                self.end(id, tokens);
            }
            Request::Detokenize { id, tokens, .. } => {
                let text = self.words();
                let text = text.and_then(|room| Ok(Outcome::Text { text: room.decode(&tokens)? }));
                self.end(id, text);
            }
            Request::ApplyChatTemplate {
                id,
                messages,
                tools,
                chat_template_options: options,
                add_generation_prompt,
                ..
            } => {
                self.answer(id, |session, room| {
                    session.need_text()?;
                    let conversation = Conversation { messages, tools, options };
                    Ok(Outcome::Text { text: room.render(conversation, add_generation_prompt)? })
                });
            }
            Request::Metrics { id, profile, .. }
                if let State::Graph(_, session) = &mut self.state =>
            {
                let outcome = Outcome::Metrics { metrics: session.metrics(profile) };
                self.post(Event::Done { id, outcome });
            }
            Request::Metrics { id, .. } if let State::Encoder(_, session) = &self.state => {
                let outcome = Outcome::Metrics { metrics: session.metrics() };
                self.post(Event::Done { id, outcome });
            }
            Request::Metrics { id, profile, .. } => self.answer(id, |session, _| {
                let metrics = Metrics {
                    memory: session.memory(),
                    threads: session.info.threads,
                    open_requests: session.jobs.len() as u32,
                    profile: session.record(profile),
                    ..session.metrics.clone()
                };
                Ok(Outcome::Metrics { metrics })
            }),
            Request::Explain { id, .. } => {
                let outcome = self.explain();
                self.post(match outcome {
                    Ok(explanation) => {
                        Event::Done { id, outcome: Outcome::Explained { explanation } }
                    }
                    Err(error) => Event::Error { id: Some(id), error },
                });
            }
            Request::Hello { .. } => {}
            Request::Dispose { id, .. } => {
                self.dispose();
                self.post(Event::Done { id, outcome: Outcome::Disposed });
            }
        }
    }

    /// Takes a report on an effect. Reports on readings that are over are ignored.
    pub fn completion(&mut self, completion: Completion) {
        self.with_load(|load, hands| load.completion(completion, hands));
    }

    /// The place of a reading's next bytes, at most `want`; empty: it needs no more.
    pub fn window(&mut self, stream: u32, want: usize) -> &mut [u8] {
        self.with_load(|load, hands| load.room(stream, want, hands));
        match &mut self.state {
            State::Loading(load) => load.window(),
            _ => &mut [],
        }
    }

    /// That `count` bytes of the window were written.
    pub fn wrote(&mut self, stream: u32, count: usize) {
        self.with_load(|load, hands| load.wrote(stream, count, hands));
    }

    /// Works for about `budget_ms`. Whether there is more to do at once.
    pub fn run(&mut self, budget_ms: f64) -> bool {
        let clock = &self.clock;
        let end = clock() + budget_ms;
        let (mut late, mut events) = (|| clock() >= end, Vec::new());
        let (pool, buffers) = (&self.pool, &mut self.buffers);
        let more = match &mut self.state {
            State::Ready(session) => {
                session.run(&mut self.text, pool, clock, &mut late, &mut events)
            }
            State::Graph(_, session) => session.run(pool, clock, &mut late, buffers, &mut events),
            State::Encoder(_, session) => session.run(pool, clock, &mut late, buffers, &mut events),
            State::Empty | State::Loading(_) => false,
        };
        self.effects.extend(events.into_iter().map(|event| Effect::Post { event }));
        more
    }

    /// The effects that have come up, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    fn load(&mut self, id: u32, source: ModelSource, options: LoadOptions, now: f64) {
        if !matches!(self.state, State::Empty) {
            let error = error("MODEL_BUSY", "this engine has a model already");
            return self.post(Event::Error { id: Some(id), error });
        }
        let (text, orders) = (&mut self.text, &mut self.orders);
        let mut hands = Hands { text, orders, effects: &mut self.effects, now };
        let mut load = match Load::new(id, source, options, now) {
            Ok(load) => load,
            Err(error) => return self.post(Event::Error { id: Some(id), error }),
        };
        let begun = load.begin(&mut hands);
        self.state = State::Loading(Box::new(load));
        self.after_load(begun);
    }

    /// Lets the load do something, and sees what comes of it.
    fn with_load(
        &mut self,
        deed: impl FnOnce(&mut Load, &mut Hands<'_, T>) -> Result<bool, ErrorInfo>,
    ) {
        let State::Loading(load) = &mut self.state else { return };
        let now = (self.clock)();
        let (text, orders) = (&mut self.text, &mut self.orders);
        let done = deed(load, &mut Hands { text, orders, effects: &mut self.effects, now });
        self.after_load(done);
    }

    fn after_load(&mut self, done: Result<bool, ErrorInfo>) {
        self.effects.extend(self.orders.take().into_iter().map(Effect::from));
        match done {
            Ok(false) => {}
            Ok(true) => self.finish_load(),
            Err(error) => self.fail_load(error),
        }
    }

    fn abort(&mut self, id: u32) {
        match &mut self.state {
            State::Loading(load) if load.id == id => {
                self.end_load("the load was aborted", "ABORTED");
            }
            State::Ready(session) => session.abort(id),
            State::Graph(_, session) => {
                let event = session.abort(id);
                self.effects.extend(event.map(|event| Effect::Post { event }));
            }
            State::Encoder(_, session) => {
                let event = session.abort(id);
                self.effects.extend(event.map(|event| Effect::Post { event }));
            }
            _ => {}
        }
    }

    /// Queues a run. The buffers of its inputs are freed if it is refused.
    fn queue(
        &mut self,
        id: u32,
        inputs: Vec<NamedValue>,
        outputs: Option<Vec<String>>,
        reset: bool,
        now: f64,
    ) -> Result<(), ErrorInfo> {
        if let State::Graph(_, session) = &mut self.state {
            return session.queue(id, inputs, outputs, reset, &mut self.buffers, now);
        }
        for buffer in inputs.iter().flat_map(|input| input.value.buffers()) {
            self.buffers.free(buffer);
        }
        if let State::Encoder(..) = &self.state {
            return Err(
                error("TASK_UNSUPPORTED", "the model makes vectors of texts").hint("Use embed.")
            );
        }
        self.session()?;
        Err(error("TASK_UNSUPPORTED", "the model is a language model, which is not run as a graph")
            .hint("Use generateText or streamText; an ONNX decoder is run if loaded with task: \"run\"."))
    }

    fn explain(&mut self) -> Result<Explanation, ErrorInfo> {
        if let State::Graph(_, session) = &mut self.state {
            return session.explain();
        }
        self.session()?;
        Err(error("TASK_UNSUPPORTED", "the model is a language model, which is no graph")
            .hint("Use model.metrics({ profile: true })."))
    }

    /// Queues texts to be made vectors of.
    fn embed(
        &mut self,
        id: u32,
        input: Vec<Segment>,
        options: &EmbedOptions,
        now: f64,
    ) -> Result<(), ErrorInfo> {
        match &mut self.state {
            State::Encoder(_, session) => session.queue(&mut self.text, id, input, options, now),
            State::Empty | State::Loading(_) => {
                Err(error("MODEL_NOT_LOADED", "no model is loaded"))
            }
            State::Graph(_, session) => session.embed(&mut self.text, id, input, options, now),
            State::Ready(_) => {
                Err(error("TASK_UNSUPPORTED", "the model generates text, and no vectors of it")
                    .hint("Load an encoder: a GGUF file of the family bert, or an ONNX model."))
            }
        }
    }

    /// The tokenizer of the model.
    fn words(&mut self) -> Result<&mut T, ErrorInfo> {
        if let State::Encoder(_, session) = &self.state {
            return match session.text {
                Some(_) => Ok(&mut self.text),
                None => Err(error("TOKENIZER_MISSING", "the model has no tokenizer")),
            };
        }
        let (session, text) = self.session()?;
        session.need_text()?;
        Ok(text)
    }

    fn finish_load(&mut self) {
        let State::Loading(load) = std::mem::replace(&mut self.state, State::Empty) else { return };
        let id = load.id;
        match load.finish(&self.clock, &self.pool, &mut self.effects) {
            Ok(loaded) => {
                let (info, state) = match loaded {
                    Loaded::Text(session) => (session.info.clone(), State::Ready(session)),
                    Loaded::Graph(graphs, session) => {
                        (session.info.clone(), State::Graph(graphs, session))
                    }
                    Loaded::Encoder(language, session) => {
                        (session.info.clone(), State::Encoder(language, session))
                    }
                };
                self.state = state;
                let outcome = Outcome::Loaded { model: Box::new(info) };
                self.post(Event::Done { id, outcome });
            }
            Err(error) => self.post(Event::Error { id: Some(id), error }),
        }
    }

    fn fail_load(&mut self, error: ErrorInfo) {
        let State::Loading(load) = &mut self.state else { return };
        let id = load.id;
        // What is broken is not kept; what cannot be used here may be used elsewhere.
        let broken = ["MODEL_INVALID", "MODEL_TRUNCATED", "NOT_A_MODEL"];
        load.abandon(broken.contains(&error.code.as_str()), &mut self.orders);
        self.state = State::Empty;
        self.effects.extend(self.orders.take().into_iter().map(Effect::from));
        self.post(Event::Error { id: Some(id), error });
    }

    /// Frees the model and settles every request that is open.
    fn dispose(&mut self) {
        let message = "the model was disposed of";
        self.end_load(message, "MODEL_DISPOSED");
        let open: Vec<u32> = match std::mem::replace(&mut self.state, State::Empty) {
            State::Ready(session) => session.jobs.into_iter().map(|job| job.id).collect(),
            State::Graph(_, session) => session.end().collect(),
            State::Encoder(_, session) => session.end().collect(),
            State::Empty | State::Loading(_) => Vec::new(),
        };
        self.buffers.clear();
        for id in open {
            self.post(Event::Error { id: Some(id), error: error("MODEL_DISPOSED", message) });
        }
    }

    fn end_load(&mut self, message: &str, code: &str) {
        self.fail_load(error(code, message));
    }

    fn session(&mut self) -> Result<(&mut Session, &mut T), ErrorInfo> {
        match &mut self.state {
            State::Ready(session) => Ok((session, &mut self.text)),
            State::Graph(..) => Err(error(
                "TASK_UNSUPPORTED",
                "the model is a graph, which has no tokens and no text",
            )
            .hint("Use model.run.")),
            State::Encoder(..) => {
                Err(error("TASK_UNSUPPORTED", "the model makes vectors of texts, and no text")
                    .hint("Use embed."))
            }
            _ => Err(error("MODEL_NOT_LOADED", "no model is loaded")),
        }
    }

    fn answer(
        &mut self,
        id: u32,
        answer: impl FnOnce(&mut Session, &mut T) -> Result<Outcome, ErrorInfo>,
    ) {
        let outcome = self.session().and_then(|(session, text)| answer(session, text));
        self.end(id, outcome);
    }

    fn end(&mut self, id: u32, outcome: Result<Outcome, ErrorInfo>) {
        self.post(match outcome {
            Ok(outcome) => Event::Done { id, outcome },
            Err(error) => Event::Error { id: Some(id), error },
        });
    }

    fn post(&mut self, event: Event) {
        self.effects.push(Effect::Post { event });
    }
}
