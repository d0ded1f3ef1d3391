use crate::error::error;
use crate::protocol::{ErrorInfo, LoadOptions, Threads, ThreadsFigure};
use sidestage_formats::huggingface::TARGETS;
use sidestage_lm::{DecoderOptions, KvType};
use sidestage_store::CacheMode;
use sidestage_tensor::DType;

/// Options that were checked.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) decoder: DecoderOptions,
    pub(super) hub: Option<String>,
    pub(super) token: Option<String>,
    pub(super) mode: CacheMode,
    pub(super) cache_key: Option<String>,
    pub(super) dtype: Option<DType>,
    pub(super) memory_limit: Option<u64>,
    /// Whether a decoder is to be run as the graph that its file has.
    pub(super) as_graph: bool,
    /// To be measured; with what an earlier load found.
    pub(super) auto: Option<Option<ThreadsFigure>>,
}

impl Options {
    pub(super) fn check(options: LoadOptions) -> Result<Self, ErrorInfo> {
        match options.device.as_deref() {
            None | Some("auto" | "cpu") => {}
            Some("webgpu") => {
                return Err(error("DEVICE_UNAVAILABLE", "this version has no WebGPU backend yet")
                    .hint("Use device: \"auto\" or \"cpu\"."));
            }
            Some(other) => {
                let value = format!("{other:?}");
                return Err(invalid("device", value, "\"auto\", \"cpu\" or \"webgpu\""));
            }
        }
        if options.context_length == Some(0) {
            return Err(invalid("contextLength", "0".into(), "at least 1"));
        }
        if options.threads == Some(Threads::Count(0)) {
            return Err(invalid("threads", "0".into(), "at least 1"));
        }
        let kv_type = match options.kv_type {
            None => KvType::default(),
            Some(name) => KvType::parse(&name).ok_or_else(|| {
                let names = KvType::ALL.map(|kv_type| format!("{:?}", kv_type.name()));
                invalid("kvType", format!("{name:?}"), &format!("one of {}", names.join(", ")))
            })?,
        };
        let dtype = match options.dtype {
            None => None,
            Some(name) => Some(dtype(&name)?),
        };
        let as_graph = match options.task.as_deref() {
            None | Some("auto") => false,
            Some("run") => true,
            Some(other) => {
                return Err(invalid("task", format!("{other:?}"), "\"auto\" or \"run\""));
            }
        };
        Ok(Self {
            decoder: DecoderOptions {
                context_length: options.context_length.map(|length| length as usize),
                kv_type,
            },
            hub: options.hub_url,
            token: options.hub_token,
            mode: match options.cache {
                None => CacheMode::Default,
                Some(mode) => CacheMode::parse(&mode)?,
            },
            cache_key: options.cache_key,
            dtype,
            memory_limit: options.memory_limit,
            as_graph,
            auto: (options.threads == Some(Threads::AUTO)).then_some(options.measured),
        })
    }
}

fn dtype(name: &str) -> Result<DType, ErrorInfo> {
    let found = TARGETS.iter().find(|dtype| dtype.name().eq_ignore_ascii_case(name));
    found.copied().ok_or_else(|| {
        let name_of = |dtype: &DType| format!("{:?}", dtype.name().to_ascii_lowercase());
        let names: Vec<String> = TARGETS.iter().map(name_of).collect();
        invalid("dtype", format!("{name:?}"), &format!("one of {}", names.join(", ")))
    })
}

fn invalid(option: &str, value: String, allowed: &str) -> ErrorInfo {
    error("INVALID_OPTION", format!("{option} = {value} is not {allowed}")).with("option", option)
}
