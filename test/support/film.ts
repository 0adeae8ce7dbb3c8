/** A film that is long enough for a player to seek in it by Range: made by ffmpeg, two minutes of noise. */

import { execFile } from "node:child_process";

/** Writes a WebM (VP8) of 120 s and some 10 MB. */
export function makeFilm(file: string): Promise<void> {
  const picture = [
    "-f",
    "lavfi",
    "-i",
    "testsrc2=size=160x90:rate=5",
    "-vf",
    "noise=alls=60:allf=t",
  ];
  const coded = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "800k"];
  const args = ["-v", "error", "-y", ...picture, "-t", "120", ...coded, "-g", "10", file];
  return new Promise((resolve, reject) => {
    execFile("ffmpeg", args, (error) => {
      if (error === null) resolve();
      else reject(new Error(`ffmpeg, apt-get install ffmpeg: ${error.message}`));
    });
  });
}
