/** A program that is to be run. */
export interface Program {
  /** Where the module is. */
  url: string;
  /** Where its files are, one after the other, behind the length of a list of their paths and sizes. */
  files: string;
  /** `NAME=value`. */
  environment: string[];
}

/** How it ended. */
export interface Ended {
  code: number;
  printed: string;
}
