/** Makes a chosen photo small before it is sent; whatever goes wrong, it is sent as it is. */

const SIDE_PIXELS = 512;
const QUALITY = 0.88;

export function smallPhotos(): void {
  for (const input of document.querySelectorAll<HTMLInputElement>('input[data-island="photo"]')) {
    input.addEventListener("change", () => void shrink(input).catch(() => undefined));
  }
}

async function shrink(input: HTMLInputElement): Promise<void> {
  const [file] = input.files ?? [];
  if (file === undefined) return;
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, SIDE_PIXELS / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const type = file.type === "image/png" ? "image/png" : "image/jpeg";
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, QUALITY));
  // Chosen anew meanwhile, or nothing gained.
  if (blob === null || input.files?.[0] !== file || blob.size >= file.size) return;
  const files = new DataTransfer();
  files.items.add(new File([blob], "photo", { type }));
  input.files = files.files;
}
