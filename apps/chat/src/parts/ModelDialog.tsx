import { useEffect, useId, useRef, useState, type FormEvent } from "react";
import { KeptModels } from "./KeptModels.tsx";

interface Props {
  open: boolean;
  onClose: () => void;
  onBox: () => void;
  onUrl: (url: string) => void;
  onFile: (file: File) => void;
}

/** Where the page gets its model from: the box, an address, or a file of the user's. */
export function ModelDialog({ open, onClose, onBox, onUrl, onFile }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [url, setUrl] = useState("");
  const title = useId();
  const field = useId();

  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);

  const submitUrl = (event: FormEvent) => {
    event.preventDefault();
    const address = url.trim();
    if (address !== "") onUrl(address);
  };

  return (
    <dialog
      ref={dialog}
      className="dialog"
      aria-labelledby={title}
      onClose={onClose}
      onClick={(event) => {
        // A click on the backdrop is a click on the dialog itself.
        if (event.target === dialog.current) onClose();
      }}
    >
      <div className="dialog-body">
        <div className="dialog-head">
          <h2 id={title}>Choose a model</h2>
          <button type="button" className="quiet close" aria-label="Close" onClick={onClose}>
            <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
              <path
                d="m4 4 8 8m0-8-8 8"
                stroke="currentColor"
                strokeWidth="1.5"
                strokeLinecap="round"
              />
            </svg>
          </button>
        </div>

        <button type="button" className="choice" data-testid="model-box" onClick={onBox}>
          <strong>In the box</strong>
          <span>A very small model that comes with this page. Good for a first look.</span>
        </button>

        <form className="choice" onSubmit={submitUrl}>
          <label htmlFor={field}>
            <strong>An address</strong>
            <span>A GGUF file by URL, or on Hugging Face.</span>
          </label>
          <div className="row">
            <input
              id={field}
              data-testid="model-url"
              type="text"
              inputMode="url"
              autoComplete="off"
              autoCapitalize="off"
              spellCheck={false}
              placeholder="https://… or hf:owner/repo/file.gguf"
              value={url}
              onChange={(event) => setUrl(event.target.value)}
            />
            <button
              type="submit"
              className="solid"
              data-testid="model-load"
              disabled={url.trim() === ""}
            >
              Load
            </button>
          </div>
        </form>

        <label className="choice file">
          <strong>A file on this device</strong>
          <span>A .gguf file. It is read here and goes nowhere.</span>
          <input
            type="file"
            data-testid="model-file"
            accept=".gguf"
            onChange={(event) => {
              const file = event.target.files?.[0];
              // Cleared, so that choosing the same file again is a change too.
              event.target.value = "";
              if (file !== undefined) onFile(file);
            }}
          />
        </label>

        <KeptModels open={open} onLoad={onUrl} />
      </div>
    </dialog>
  );
}
