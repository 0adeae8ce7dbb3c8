/** A module as the text of a script for a worker, made by scripts/build-viewer.ts. */
declare module "worker:*" {
  const script: string;
  export default script;
}

declare module "*.css";
