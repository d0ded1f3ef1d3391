// Elements of a page: what a run may be given is one type for page and worker.

interface HTMLCanvasElement {
  readonly width: number;
  readonly height: number;
}

interface HTMLImageElement {
  readonly naturalWidth: number;
  readonly complete: boolean;
}

interface HTMLVideoElement {
  readonly videoWidth: number;
  readonly readyState: number;
}
