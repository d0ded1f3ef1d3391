import { SidestageError } from "./errors.js";

/** Violations of the page's Content Security Policy while a worker is started. */
export interface PolicyWatch {
  violated(): SecurityPolicyViolationEvent | undefined;
  stop(): void;
}

const DIRECTIVES =
  /^(worker-src|child-src|script-src|default-src|require-trusted|trusted-types)/;

/** Listens for violations that a worker's start can cause. */
export function watchPolicy(): PolicyWatch {
  const target = globalThis.document as Document | undefined;
  let found: SecurityPolicyViolationEvent | undefined;
  const listener = (event: SecurityPolicyViolationEvent): void => {
    if (DIRECTIVES.test(event.effectiveDirective)) found ??= event;
  };
  target?.addEventListener("securitypolicyviolation", listener);
  return {
    violated: () => found,
    stop: () => target?.removeEventListener("securitypolicyviolation", listener),
  };
}

function blocked(
  why: string,
  message: string,
  hint: string,
  detail: Record<string, unknown>,
  cause: unknown,
): SidestageError {
  return new SidestageError("WORKER_BLOCKED", message, {
    hint,
    detail: { cause: why, ...detail },
    cause,
  });
}

/**
 * Finds out why a worker did not start. Browsers say only "error"; so ask for the script as the
 * browser did, and look at the answer.
 */
export async function explain(
  url: string,
  policy: PolicyWatch,
  cause: unknown,
): Promise<SidestageError> {
  const base = (globalThis.document as Document | undefined)?.baseURI;
  let script: URL;
  try {
    script = new URL(url, base);
  } catch {
    return blocked("url", `"${url}" is not a URL`, "Check `workerUrl`.", { url }, cause);
  }
  const detail: Record<string, unknown> = { url: script.href };
  const answer = await ask(script.href);
  const violation = policy.violated();
  if (violation) {
    const directive = violation.effectiveDirective;
    return blocked(
      "csp",
      `the page's Content Security Policy (${directive}) forbids the worker`,
      /trusted/.test(directive)
        ? "Allow the Trusted Types policy `sidestage`, or give `workerUrl` as a TrustedScriptURL."
        : "Add `worker-src 'self'` (or the worker's origin) to the page's policy.",
      { ...detail, directive },
      cause,
    );
  }
  if (!(answer instanceof Response)) {
    return blocked(
      "network",
      "the worker's script could not be fetched",
      "Check the network, and that the server allows this page to fetch the script.",
      detail,
      answer,
    );
  }
  if (!answer.ok) {
    return blocked(
      "http",
      `the worker's script was answered with status ${answer.status}`,
      "Serve sidestage-worker.js beside index.js, or set `workerUrl`.",
      { ...detail, status: answer.status },
      cause,
    );
  }
  const type = answer.headers.get("content-type");
  if (!/^(text|application)\/(x-)?(java|ecma)script/i.test(type ?? "")) {
    return blocked(
      "mime",
      `the worker's script has the type ${type ?? "(none)"}`,
      "Serve .js files as text/javascript. HTML here is usually a page that stands for a missing file.",
      { ...detail, contentType: type },
      cause,
    );
  }
  const { origin } = globalThis;
  if (origin === "null") {
    return blocked(
      "no-origin",
      "a page without an origin (a sandboxed frame) may start no script of a server",
      "Allow `worker-src blob:` in its policy, so that a copy of the script can run; or give the frame `allow-same-origin`.",
      detail,
      cause,
    );
  }
  if (script.protocol.startsWith("http") && script.origin !== origin) {
    return blocked(
      "cross-origin",
      "a worker's script must come from the page's own origin",
      "Copy the package's files to your origin, or give your own `worker`.",
      detail,
      cause,
    );
  }
  const coep = answer.headers.get("cross-origin-embedder-policy");
  if (globalThis.crossOriginIsolated && coep === null) {
    return blocked(
      "coep",
      "the worker's script lacks the header Cross-Origin-Embedder-Policy",
      "An isolated page needs `Cross-Origin-Embedder-Policy: require-corp` on .js files too.",
      detail,
      cause,
    );
  }
  return blocked(
    cause === undefined ? "unknown" : "script",
    cause instanceof Error ? `the worker failed: ${cause.message}` : "the worker did not start",
    "See the browser's console.",
    detail,
    cause,
  );
}

async function ask(url: string): Promise<unknown> {
  try {
    const response = await fetch(url, { credentials: "same-origin" });
    void response.body?.cancel();
    return response;
  } catch (error) {
    return error;
  }
}
