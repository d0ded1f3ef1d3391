//! `sidestage generate`: continues a prompt.

use crate::args::GenerateArgs;
use crate::error::CliError;
use crate::model_files::ModelFiles;
use crate::session::Session;
use sidestage_engine::protocol::{
    GenerateOptions, LoadOptions, OpProfile, PhaseProfile, Profile, Prompt, Segment,
};
use std::io::Write;

pub(crate) fn run(args: &GenerateArgs) -> Result<(), CliError> {
    // Read before the model is: a typing error is told at once.
    let prompt = prompt(args)?;
    let files = ModelFiles::find(&args.model)?;
    let mut session = Session::load(&files, load_options(args))?;
    let mut out = std::io::stdout();
    let mut show = |text: &str| {
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::output)
    };
    if args.profile {
        session.profile()?;
    }
    let result = session.generate(prompt, options(args), &mut show)?;
    if args.json {
        let json = serde_json::to_string(&result)
            .map_err(|error| CliError::Stream { error: error.into() })?;
        show(&json)?;
    }
    show("\n")?;
    if args.profile {
        let Profile { prompt, decode, .. } = session.profile()?;
        eprint!("\nthreads: {}\n", session.threads);
        eprint!("{}{}", table("prompt", &prompt), table("answer", &decode));
    }
    Ok(())
}

/// The operators of one kind of steps, the longest first.
fn table(what: &str, phase: &PhaseProfile) -> String {
    if phase.steps == 0 {
        return String::new();
    }
    let steps = f64::from(phase.steps);
    let mut text = format!(
        "\n{what}: {:.2} ms in {} steps\n{:>10} {:>8} {:>6}  operator\n",
        phase.ms, phase.steps, "ms/step", "calls", "share"
    );
    for op in &phase.ops {
        let OpProfile { name, calls, ms, share } = op;
        text += &format!("{:>10.3} {calls:>8} {:>5.1}%  {name}\n", ms / steps, 100.0 * share);
    }
    text
}

fn prompt(args: &GenerateArgs) -> Result<Prompt, CliError> {
    let segment = match (&args.prompt, &args.tokens, &args.messages) {
        (Some(text), ..) => Segment::Text { text: text.clone() },
        (None, Some(ids), _) => Segment::Ids { ids: ids.clone() },
        (None, None, Some(messages)) => {
            let wrong = |problem: String| CliError::Argument { name: "--messages", problem };
            let messages: serde_json::Value = serde_json::from_str(messages)
                .map_err(|e| wrong(format!("this is no JSON: {e}")))?;
            if !messages.is_array() {
                return Err(wrong(
                    "a list is needed: [{\"role\": \"user\", \"content\": \"Hi\"}]".into(),
                ));
            }
            return Ok(Prompt::Messages { messages });
        }
        (None, None, None) => {
            let problem = "one of --prompt, --tokens and --messages is needed".into();
            return Err(CliError::Argument { name: "--prompt", problem });
        }
    };
    Ok(Prompt::Segments { segments: vec![segment], raw: true })
}

fn load_options(args: &GenerateArgs) -> LoadOptions {
    LoadOptions {
        context_length: args.context_length,
        threads: args.threads,
        dtype: args.dtype.clone(),
        kv_type: args.kv_type.clone(),
        ..LoadOptions::default()
    }
}

fn options(args: &GenerateArgs) -> GenerateOptions {
    GenerateOptions {
        max_tokens: args.max_tokens,
        temperature: if args.greedy { Some(0.0) } else { args.temperature },
        top_k: args.top_k,
        top_p: args.top_p,
        min_p: args.min_p,
        repetition_penalty: args.repetition_penalty,
        frequency_penalty: args.frequency_penalty,
        presence_penalty: args.presence_penalty,
        logit_bias: args.logit_bias.clone(),
        seed: args.seed,
        stop_sequences: args.stop.clone(),
        ignore_eos: args.ignore_eos,
        stream: !args.json,
        ..GenerateOptions::default()
    }
}
