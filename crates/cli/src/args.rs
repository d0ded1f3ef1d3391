use crate::model_files::meant;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand};
use sidestage_engine::protocol::Threads;
use sidestage_text::Now;
use std::net::IpAddr;
use std::path::PathBuf;

/// The path of a model, as what it stands for.
fn model() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(meant)
}

/// Runs machine-learning models, in the browser and here.
#[derive(Debug, Parser)]
#[command(name = "sidestage", version, about)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves the chat page (or a folder of yours) with the headers it needs
    Serve(ServeArgs),
    /// Continues a prompt
    Generate(GenerateArgs),
    /// Makes a vector of each line of standard input
    Embed(EmbedArgs),
    /// Writes the logits after some tokens as a .npy file
    Logits(LogitsArgs),
    /// Says how unlikely the model finds a text, by llama-perplexity's rule
    Perplexity(PerplexityArgs),
    /// Writes a model's file with its matrices in another type
    Quantize(QuantizeArgs),
    /// Turns standard input into token ids
    Tokenize(TokenizeArgs),
    /// Prints what a chat template makes of a context
    Render(RenderArgs),
    /// Runs a model of arrays once: ONNX, TFLite or TensorFlow.js
    Run(RunArgs),
    /// Says what is in a model file
    Inspect(InspectArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// Folder to serve; default: the built chat page
    pub(crate) dir: Option<PathBuf>,
    /// Port; 0: any free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// Model that the page opens with, instead of the one in the box
    #[arg(long, value_name = "FILE_OR_URL")]
    pub(crate) model: Option<String>,
    /// Leave out COOP and COEP: the page then has no shared memory and the engine one thread
    #[arg(long)]
    pub(crate) no_isolation: bool,
    /// Also serve a file or folder under this path
    #[arg(long, value_name = "/PATH=FILE_OR_DIR")]
    pub(crate) mount: Vec<String>,
    /// Host that the page may fetch models from, besides this server and huggingface.co
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_host: Vec<String>,
    /// Open the page in the default browser
    #[arg(long)]
    pub(crate) open: bool,
}

#[derive(Debug, ClapArgs)]
#[command(allow_negative_numbers = true)]
#[command(group = clap::ArgGroup::new("input").required(true).args(["prompt", "tokens", "messages"]))]
pub(crate) struct GenerateArgs {
    /// Model: a GGUF file, any file of a split one, an ONNX decoder, or a Hugging Face folder
    #[arg(long, value_name = "FILE_OR_DIR", value_parser = model())]
    pub(crate) model: PathBuf,
    /// Text to continue, as it is: no chat template
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) prompt: Option<String>,
    /// Token ids to continue, exactly as given
    #[arg(long, value_name = "1,2,3", value_delimiter = ',')]
    pub(crate) tokens: Option<Vec<u32>>,
    /// Conversation for the model's chat template: [{"role": "user", "content": "Hi"}]
    #[arg(long, value_name = "JSON")]
    pub(crate) messages: Option<String>,
    /// Always take the likeliest token
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p", "min_p"])]
    pub(crate) greedy: bool,
    /// Most tokens to generate
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
    /// Seed of the sampler; same seed, same text
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// 0 is greedy
    #[arg(long)]
    pub(crate) temperature: Option<f32>,
    /// Keep the K likeliest tokens; 0: all
    #[arg(long)]
    pub(crate) top_k: Option<u32>,
    /// Keep the likeliest tokens that together reach this probability
    #[arg(long)]
    pub(crate) top_p: Option<f32>,
    /// Drop tokens less likely than this share of the likeliest
    #[arg(long)]
    pub(crate) min_p: Option<f32>,
    /// Divides the logits of tokens seen; 1 is off
    #[arg(long)]
    pub(crate) repetition_penalty: Option<f32>,
    /// Subtracted from a logit per use in the answer
    #[arg(long)]
    pub(crate) frequency_penalty: Option<f32>,
    /// Subtracted from a logit once used in the answer
    #[arg(long)]
    pub(crate) presence_penalty: Option<f32>,
    /// Added to a token's logit; may be given several times
    #[arg(long, value_name = "ID=VALUE", value_parser = bias)]
    pub(crate) logit_bias: Vec<(u32, f32)>,
    /// String that ends the answer; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub(crate) stop: Vec<String>,
    /// Do not end at the model's end token
    #[arg(long)]
    pub(crate) ignore_eos: bool,
    /// Positions of the context
    #[arg(long, value_name = "N")]
    pub(crate) context_length: Option<u32>,
    /// Type that the weights of a folder are kept as, for example q8_0; default: their own
    #[arg(long, value_name = "TYPE")]
    pub(crate) dtype: Option<String>,
    /// Type of the KV cache's elements: f32, f16 or q8_0; default: f16
    #[arg(long, value_name = "TYPE")]
    pub(crate) kv_type: Option<String>,
    /// Threads, or "auto": as many as are measured to be the fastest; default: all cores
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<Threads>,
    /// Print where the time went, operator by operator, to standard error
    #[arg(long)]
    pub(crate) profile: bool,
    /// Print tokens, text, finishReason, usage and timings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EmbedArgs {
    /// Model: a GGUF or ONNX file of an encoder, or a Hugging Face folder
    #[arg(long, value_name = "FILE_OR_DIR", value_parser = model())]
    pub(crate) model: PathBuf,
    /// How the vectors of a text's tokens become one: mean, cls or last; default: as the model says
    #[arg(long, value_name = "NAME")]
    pub(crate) pooling: Option<String>,
    /// Give the vectors as they are, not with the length 1
    #[arg(long)]
    pub(crate) no_normalize: bool,
    /// Keep this many of the first values
    #[arg(long, value_name = "N")]
    pub(crate) dimensions: Option<u32>,
    /// Cut texts that are too long
    #[arg(long)]
    pub(crate) truncate: bool,
    /// Threads; default: all cores
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<u32>,
    /// Print {"embeddings": [[…], …], "tokens": […]}; otherwise a vector a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LogitsArgs {
    /// Model file (GGUF)
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Token ids, exactly as given
    #[arg(long, value_name = "1,2,3", value_delimiter = ',', required = true)]
    pub(crate) tokens: Vec<u32>,
    /// Where to write: float32, [vocab], or [n, vocab] with --all
    #[arg(long, value_name = "FILE.npy")]
    pub(crate) out: PathBuf,
    /// The logits after every token, not only after the last
    #[arg(long)]
    pub(crate) all: bool,
    /// Threads; default: all cores
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<u32>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PerplexityArgs {
    /// Model file (GGUF)
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Text: its tokens are cut into windows, and the second half of each counts
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Positions of a window
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(4..))]
    pub(crate) context_length: u32,
    /// Only so many windows; default: all that are full
    #[arg(long, value_name = "N")]
    pub(crate) chunks: Option<u32>,
    /// Read special tokens in the text as plain text, as llama-perplexity does
    #[arg(long)]
    pub(crate) no_special: bool,
    /// Type of the KV cache's elements: f32, f16 or q8_0; default: f16
    #[arg(long, value_name = "TYPE")]
    pub(crate) kv_type: Option<String>,
    /// Threads; default: all cores
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<u32>,
    /// Print {"perplexity": …, "loss": …, "tokens": …, "windows": …}
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct QuantizeArgs {
    /// Model file (GGUF)
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Type of the matrices, for example q4_0; those whose rows it cannot hold keep theirs
    #[arg(long, value_name = "TYPE")]
    pub(crate) dtype: String,
    /// Where to write
    #[arg(long, value_name = "FILE.gguf")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TokenizeArgs {
    /// Model file (GGUF) or Hugging Face folder; only its vocabulary is read
    #[arg(long, value_name = "FILE_OR_DIR", value_parser = model())]
    pub(crate) model: PathBuf,
    /// Print {"tokens": [...]}
    #[arg(long)]
    pub(crate) json: bool,
    /// Add no begin or end token, and read special tokens in the text as plain text
    #[arg(long)]
    pub(crate) no_special: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RenderArgs {
    /// Chat template (Jinja)
    #[arg(long, value_name = "FILE")]
    pub(crate) template: PathBuf,
    /// JSON object; each of its keys is a variable of the template
    #[arg(long, value_name = "FILE")]
    pub(crate) context: PathBuf,
    /// Leave out the opening of the assistant's turn, whatever the context says
    #[arg(long)]
    pub(crate) no_generation_prompt: bool,
    /// The time for templates that print the date; default: now, in UTC
    #[arg(long, value_name = "2025-07-10T12:00:00", value_parser = time)]
    pub(crate) now: Option<Now>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    /// Model: a file of ONNX or TFLite, or a model.json of TensorFlow.js or its folder
    #[arg(long, value_name = "FILE_OR_DIR", value_parser = model())]
    pub(crate) model: PathBuf,
    /// An input, by its name or its index, and the array that it is; once for each input
    #[arg(long, value_name = "NAME=FILE.npy", value_parser = input)]
    pub(crate) input: Vec<(String, PathBuf)>,
    /// Folder to write to: 0.npy, 1.npy, … in the order of the outputs, and outputs.json
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Threads; default: all cores
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<u32>,
    /// A pass over the graph that is left out, or `all`; once for each
    #[arg(long, value_name = "PASS", value_parser = pass)]
    pub(crate) without: Vec<String>,
    /// Prints what was planned: operators with their shapes, and the passes that made them
    #[arg(long)]
    pub(crate) plan: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InspectArgs {
    /// Model: a file of GGUF, ONNX or TFLite, a model.json of TensorFlow.js, or a Hugging Face folder
    #[arg(value_parser = model())]
    pub(crate) model: PathBuf,
    /// Everything in the headers, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn pass(text: &str) -> Result<String, String> {
    let names: Vec<&str> = sidestage_ops::PASSES.iter().map(|pass| pass.name).collect();
    if text == "all" || names.contains(&text) {
        return Ok(text.into());
    }
    Err(format!("the passes are {}", names.join(", ")))
}

fn bias(text: &str) -> Result<(u32, f32), String> {
    let (id, value) = text.split_once('=').ok_or("it reads ID=VALUE, for example 42=-1.5")?;
    let id = id.trim().parse().map_err(|_| format!("{id:?} is no token id"))?;
    let number: f32 = value.trim().parse().map_err(|_| format!("{value:?} is no number"))?;
    Ok((id, number))
}

fn input(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it reads NAME=FILE.npy")?;
    Ok((name.into(), path.into()))
}

fn threads(text: &str) -> Result<Threads, String> {
    match text {
        "auto" => Ok(Threads::AUTO),
        _ => text
            .parse()
            .map(Threads::Count)
            .map_err(|_| "a whole number is needed, or \"auto\"".to_owned()),
    }
}

fn time(text: &str) -> Result<Now, String> {
    Now::parse(text).ok_or_else(|| "it reads YYYY-MM-DDTHH:MM:SS".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Args, bias};
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn one_input_is_needed_and_only_one() {
        let parse = |args: &[&str]| {
            Args::try_parse_from(["sidestage", "generate", "--model", "m"].iter().chain(args))
                .is_ok()
        };
        assert!(!parse(&[]));
        assert!(parse(&["--prompt", "-hi"]));
        assert!(parse(&["--prompt", "x", "--temperature", "-1"]), "the engine names the option");
        assert!(parse(&["--tokens", "1,2,3", "--greedy", "--logit-bias", "3=-1.5"]));
        assert!(!parse(&["--tokens", "1,x"]));
        assert!(!parse(&["--tokens", "1", "--prompt", "x"]));
        assert!(!parse(&["--prompt", "x", "--greedy", "--temperature", "1"]));
    }

    #[test]
    fn reads_biases() {
        assert_eq!(bias("7=-2"), Ok((7, -2.0)));
        assert!(bias("7").is_err());
        assert!(bias("=1").is_err());
        assert!(bias("7=x").is_err());
    }
}
