/** One message of a conversation, as the model's chat template sees it. */
export interface Message {
  /** Usually `system`, `user` or `assistant`; the template decides what it knows. */
  role: string;
  /** What was said. */
  content: string;
  /** Anything else that the template reads. */
  [field: string]: unknown;
}
