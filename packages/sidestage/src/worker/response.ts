/** What the engine is told when a reading opens. */
export interface Head {
  status: number;
  contentType: string | null;
  /** Bytes of the whole file, if known. */
  length: number | null;
  /** Place of the first byte, if the answer says so. */
  start: number | null;
  validator: string | null;
  retryAfterMs: number | null;
  /** URL of the page that follows. */
  next: string | null;
}

/** The head of what is not HTTP, as a server would give it that knows ranges. */
export function localHead(length: number | null, offset: number): Head {
  return {
    status: offset > 0 ? 206 : 200,
    contentType: null,
    length,
    start: offset > 0 ? offset : null,
    validator: null,
    retryAfterMs: null,
    next: null,
  };
}

/** What a response's headers say, as far as its origin lets them be seen. */
export function headOf(response: Response, now = Date.now()): Head {
  const { headers, status } = response;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  return {
    status,
    contentType: headers.get("content-type"),
    length: status === 206 || status === 416 ? ofRange(headers) : wholeLength(response),
    start: range ? Number(range[1]) : null,
    validator: headers.get("etag") ?? headers.get("last-modified"),
    retryAfterMs: retryAfter(headers.get("retry-after"), now),
    next: nextPage(headers.get("link"), response.url),
  };
}

function wholeLength(response: Response): number | null {
  // The length of a compressed transfer is not the file's. Another origin's response hides its
  // encoding but not its length: without one, the model's header tells it, which is soon enough.
  if (response.type === "cors" || response.headers.get("content-encoding")) return null;
  return whole(response.headers.get("content-length"));
}

function ofRange(headers: Headers): number | null {
  return whole(/\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1] ?? null);
}

function whole(text: string | null): number | null {
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}

/** The target of `Link: <URL>; rel="next"` (RFC 8288) among other links. */
function nextPage(link: string | null, base: string): string | null {
  for (const [, target = "", rest = ""] of (link ?? "").matchAll(/<([^>]*)>([^<]*)/g)) {
    if (!/;\s*rel="?next"?\s*(;|,|$)/i.test(rest)) continue;
    try {
      return new URL(target, base || undefined).href;
    } catch {
      // Nobody can follow it.
    }
  }
  return null;
}

/** Seconds or a date (RFC 9110, section 10.2.3) as milliseconds from now. */
function retryAfter(text: string | null, now: number): number | null {
  if (text === null) return null;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}
