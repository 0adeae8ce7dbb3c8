/** The API's document, from the descriptions of its routes. Bundled by generate-docs.ts. */

import { OpenAPIRegistry, OpenApiGeneratorV31 } from "@asteasolutions/zod-to-openapi";
import { api } from "../workers/api.ts";
import { descriptionsOf } from "../workers/service.ts";

/** OpenAPI 3.1. */
export function openApiDocument(): object {
  const registry = new OpenAPIRegistry();
  for (const { middleware: _, ...route } of descriptionsOf(api)) registry.registerPath(route);
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: "3.1.0",
    info: {
      title: "Latchkey",
      version: "1",
      description: "Problems are answered as application/problem+json (RFC 9457).",
    },
  });
}
