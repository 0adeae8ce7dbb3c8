/**
 * Stands in for the zip library of docx-preview: the same few calls over our own reader, so that its
 * limits and the ban on document types hold there too.
 */

import { readXmlText } from "./xml.ts";
import { Zip } from "./zip.ts";

interface File {
  async(type: "string" | "blob" | "uint8array" | "base64"): Promise<unknown>;
}

export default {
  async loadAsync(bytes: ArrayBuffer) {
    const zip = new Zip(bytes);
    const files: Record<string, File> = Object.create(null);
    for (const name of zip.names) {
      files[name] = {
        async async(type) {
          if (type === "string") return await readXmlText(zip, name);
          const read = await zip.read(name);
          if (type === "blob") return new Blob([read]);
          if (type === "uint8array") return read;
          throw new Error(`nobody asks for ${type}`);
        },
      };
    }
    return { files };
  },
};
