// The agent on this PC: version 1 of its protocol, at 127.0.0.1 alone. Hashes go there, signatures come back.
const USUAL = "47823";
const TOKEN = "lienthong-agent";

export class Away extends Error {} // nobody listens, or the browser does not let us
export class Stranger extends Error {} // not paired

export class Agent {
  get port() {
    return localStorage.getItem("lienthong-agent-port") || USUAL;
  }

  set port(number) {
    localStorage.setItem("lienthong-agent-port", number);
  }

  async pair(code) {
    const said = await this.#call("/v1/pairings", { method: "POST", body: { protocol: 1, code } });
    localStorage.setItem(TOKEN, said.token);
  }

  signer() {
    return this.#call("/v1/signer");
  }

  send(batch) {
    return this.#call("/v1/batches", { method: "POST", body: batch });
  }

  state(id, after, signal) {
    return this.#call(`/v1/batches/${id}?after=${after}&wait=20`, { signal });
  }

  stop(id) {
    return this.#call(`/v1/batches/${id}/stop`, { method: "POST", body: {} });
  }

  forget(id) {
    return this.#call(`/v1/batches/${id}`, { method: "DELETE" });
  }

  async #call(path, { method = "GET", body, signal } = {}) {
    const headers = { Authorization: `Bearer ${localStorage.getItem(TOKEN) || ""}` };
    if (body) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(`http://127.0.0.1:${this.port}${path}`, {
        method,
        headers,
        body: body && JSON.stringify(body),
        signal,
        credentials: "omit",
      });
    } catch (problem) {
      if (problem.name === "AbortError") throw problem;
      throw new Away();
    }
    if (answer.status === 401) throw new Stranger();
    if (answer.status === 204) return null;
    const said = await answer.json();
    if (!answer.ok) throw Object.assign(new Error("agent"), { code: said.code, status: answer.status });
    return said;
  }
}
