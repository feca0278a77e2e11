// A client that openapi-typescript makes types for, against a daemon: URL is its argument, the
// token is in LIGHTD_TOKEN.
import createClient from "openapi-fetch";
import type { components, paths } from "./lightd.js";

declare const process: { argv: string[]; env: Record<string, string | undefined> };

type ContainerSpec = components["schemas"]["ContainerSpec"];

const client = createClient<paths>({
  baseUrl: process.argv[2]!,
  headers: { Authorization: `Bearer ${process.env.LIGHTD_TOKEN}` },
});

function check(holds: boolean, what: string, got: unknown): asserts holds {
  if (!holds) throw new Error(`${what}: got ${JSON.stringify(got)}`);
}

const volume = (await client.POST("/volumes")).data;
check(volume !== undefined && "volume_id" in volume, "a volume is created", volume);

// What a request may leave out is left out.
const spec: ContainerSpec = {
  internal_id: "typescript",
  image: process.env.LIGHTD_IMAGE!,
  volume_id: volume.volume_id,
  startup_command: "./server",
  labels: { by: "typescript" },
  limits: { memory: 64 << 20 },
};
const created = await client.POST("/containers", { body: spec, params: { query: { wait: "installed" } } });
check(created.response.status === 201 && created.data?.generation === 1, "it is created", created.error);

const path = { id: "typescript" };
const { data: container } = await client.GET("/containers/{id}", { params: { path } });
// What an answer has is there, without a question.
check(container?.limits.pids === 512 && container.stop.timeout === "10s" && container.env["X"] === undefined, "it is read", container);
const types: string[] = container.conditions.map((condition) => condition.type);
check(types.includes("Installed"), "it has conditions", types);

const patched = await client.PATCH("/containers/{id}", {
  params: { path },
  body: { limits: { memory: 128 << 20, pids: null }, start_pattern: null, env: { A: "b", C: null } },
});
check(patched.data?.generation === 2, "it is patched", patched.error);

const put = await client.PUT("/containers/{id}", {
  params: { path, header: { "If-Match": patched.response.headers.get("ETag")! } },
  body: { ...container, env: { A: "b" }, limits: { ...container.limits, memory: 128 << 20 } },
});
check(put.data?.generation === 2, "what was read and is so already changes nothing", put);

const listed = await client.GET("/containers", { params: { query: { selector: "by=typescript", view: "full", limit: 1 } } });
check(listed.data?.containers.length === 1 && listed.data.containers[0]?.env?.["A"] === "b" && listed.data.continue === undefined, "it is listed", listed.data);

const refused = await client.POST("/containers", { body: { ...spec, internal_id: "typescript-2", image: "" } });
check(refused.error?.code === "invalid" && refused.error.details?.[0]?.field === "image", "an invalid spec is refused", refused);
const missing = await client.GET("/containers/{id}", { params: { path: { id: "nobody" } } });
check(missing.response.status === 404 && missing.error?.code === "container_not_found", "what is not there is not found", missing);

const deleted = await client.DELETE("/containers/{id}", { params: { path } });
check(deleted.response.status === 200, "it is deleted", deleted);
console.log("ok");
