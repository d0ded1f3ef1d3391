import type { ErrorInfo } from "../protocol.js";
import { asSidestageError } from "../errors.js";

/** An error in the form that crosses the port. */
export function infoOf(thrown: unknown, code: string): ErrorInfo {
  const error = asSidestageError(thrown, code);
  return {
    code: error.code,
    message: error.message,
    hint: error.hint,
    detail: error.detail,
  };
}
