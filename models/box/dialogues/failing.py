"""Failing: what the errors mean and what to do."""

from .topic import Topic

# code: what people see, what it means, what to do
ERRORS = {
    "NOT_FOUND": ("the server answered 404 or 410: there is no file at that URL", "Check the URL of the model", ("I get a 404", "the model is not found", "the file was not found", "it says not found")),
    "NETWORK_ERROR": ("there was no answer: the connection broke, or CORS or `connect-src` forbids the host", "Check the network, and let the server allow CORS", ("there is a CORS error", "CORS blocks my model", "the fetch fails", "the model host sends no CORS headers", "the browser says blocked by CORS", "the request is blocked by CORS")),
    "HTTP_ERROR": ("the server answered with a status that is no success; `detail.status` has it", "Look at the server", ("the server answers 500", "I get a 500", "I get a 502")),
    "RATE_LIMITED": ("the server has had too many requests from you", "Wait a little and load again", ("I get a 429", "there were too many requests", "the hub says too many requests")),
    "SOURCE_CHANGED": ("the file changed on its server while it was downloaded", "Load again", ("the file on the server changed during the download", "it says source changed")),
    "NOT_CACHED": ("`cache` is `\"only-if-cached\"` and the model is not kept whole", "Load it once with the network", ("the model is not cached and I forbid the network", "it says not cached")),
    "QUOTA_EXCEEDED": ("the browser gave no room to keep the model", "It is loaded all the same; `deleteModel` makes room", ("the storage is full", "the quota is exceeded", "the disk is full", "there is no room to keep the model")),
    "NOT_A_MODEL": ("what came is not a model but, for example, a web page or a Git LFS pointer", "Check that the URL leads to the file itself", ("it says not a model", "I get a web page instead of the model", "it loaded an HTML page", "the file is a Git LFS pointer")),
    "MODEL_INVALID": ("the file contradicts itself or lacks something; the message names it", "Download or convert the model again", ("it says the model is invalid", "the file is broken", "the gguf is damaged")),
    "MODEL_TRUNCATED": ("the file is shorter than its own header says", "Download or upload the file again", ("the file is too short", "the file was cut", "a part of the file is missing")),
    "DOWNLOAD_TRUNCATED": ("fewer bytes came than were promised", "Load again: what has come is kept", ("the download is too short", "fewer bytes came than promised")),
    "MODEL_UNSUPPORTED": ("this version does not have the model's architecture or a feature of it; the message names it", "Take a model of another family", ("it says the model is unsupported", "my architecture is not supported", "it does not know my model", "it says unsupported architecture")),
    "TOKENIZER_UNSUPPORTED": ("the tokenizer of the model is unknown; the message names it", "Take another model", ("it says the tokenizer is unsupported", "the tokenizer is unknown")),
    "TOKENIZER_MISSING": ("the file has no vocabulary", "Token ids still work as prompt", ("there is no vocabulary in the file", "the tokenizer is missing")),
    "WASM_BLOCKED": ("a Content Security Policy forbids WebAssembly", "Add `'wasm-unsafe-eval'` to `script-src`, also on the worker's own response", ("WebAssembly is blocked", "wasm is forbidden", "wasm is blocked")),
    "WASM_UNSUPPORTED": ("the browser has no WebAssembly or no 128-bit SIMD", "Use a newer browser", ("there is no SIMD", "the browser lacks WebAssembly", "my browser has no wasm")),
    "WORKER_BLOCKED": ("the worker's script could not be started; `detail.cause` says why, such as `csp` or `mime`", "Fix that, or set `fallback: true`", ("the worker is blocked", "the worker script is refused")),
    "WORKER_START_TIMEOUT": ("the worker did not answer in time", "Raise `workerOptions.startTimeout`", ("the worker takes too long to start", "the worker start times out")),
    "WORKER_NOT_SUPPORTED": ("the browser has no workers and `useWorker` is `true`", "Set `fallback: true` or `useWorker: false`", ("my browser has no workers",)),
    "WORKER_TERMINATED": ("the worker died", "A model from a URL or file is loaded again on next use", ("the worker died", "the worker was killed", "the worker is gone")),
    "WORKER_TIMEOUT": ("a request gave no sign of life for `workerOptions.timeout`", "Raise the timeout or take a smaller model", ("the request timed out", "there is a timeout while it answers")),
    "VERSION_MISMATCH": ("the page and the worker are of different builds", "Deploy all files of `dist` together and empty the browser's cache", ("page and worker have different versions", "the versions do not match")),
    "ENGINE_CRASHED": ("the engine trapped", "Its model is loaded again on next use, and you may try again", ("the engine crashed", "the model crashed", "the engine died", "it crashes while answering")),
    "INVALID_OPTION": ("an option cannot be; `detail.option` names it", "Correct that option", ("it says invalid option", "my option is refused", "I misspelt an option")),
    "INVALID_SOURCE": ("the source is no URL, `hf:` path, `File`, `Blob` or bytes", "Check what you pass to `loadModel`", ("it says invalid source", "my source is refused")),
    "PROMPT_EMPTY": ("the prompt has no tokens", "Pass some text", ("I sent an empty prompt", "my prompt is empty")),
    "TEMPLATE_FAILED": ("the chat template failed or refused the messages", "Check the roles and their order", ("the template refuses my messages", "the chat template fails")),
}


def error(code: str) -> Topic:
    meaning, remedy, troubles = ERRORS[code]
    spaced = code.lower().replace("_", " ")
    return Topic(
        "error-" + code.lower(), 0.5,
        [f"`{code}` means that {meaning}. {remedy}.", f"You get `{code}` when {meaning}. {remedy}."],
        thing=(code, code, f"the error {code}", f"error {code}", f"a {code} error", f"the code {code}", spaced),
        trouble=(f"I get {code}", f"I see {code}", f"loading ends with {code}", f"there is {code} in the console", f"it says {spaced}", *troubles, *troubles),
        ask=(f"why do I get {code}?", f"what causes {code}?", f"how do I fix {code}?", f"how do I get rid of {code}?", f"{code}?", f"{code} what now", f"what to do about {code}?", f"error: {code}", f"Uncaught SidestageError: {code}"),
    )


TOPICS = [
    Topic("errors", 7,
        ["Every failure is a `SidestageError` with a stable `code`, a `message` and a `hint`. Catch it and look at `code`.",
         "Use `try` and `catch`: what is thrown is a `SidestageError`, with `code`, `message`, `hint` and `detail`."],
        wish=("[handle|catch|treat|deal with|check for|react to|report|log] [errors|an error|failures|a failure|exceptions|what goes wrong|problems]", "know [what went wrong|why it failed|which error it was]", "tell the user what went wrong", "show an error message", "debug a problem", "find out why loading fails"),
        thing=("SidestageError", "an error", "errors", "the error codes", "error handling", "the hint of an error", "error.code", "exceptions"),
        trouble=("[loading|loadModel|it|the load] fails", "something goes wrong", "an error is thrown", "I get an error", "it does not work", "it throws", "nothing works", "nothing happens"),
        ask=("which errors are there?", "which error codes are there?", "what does an error look like?", "what errors can happen?", "what is thrown?", "what happens on an error?", "where is the reason of a failure?", "can I go on after an error?", "does it throw?", "what if loading fails?"),
        code='try {\n  await loadModel(url);\n} catch (error) {\n  console.log(error.code, error.hint);\n}'),
    *(error(code) for code in ERRORS),
]
