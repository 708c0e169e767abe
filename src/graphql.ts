export async function startServer(options: {
  connectionString: string;
  host: string;
  port: number;
  jwtSecret: string;
  log?: (line: string) => void;
}): Promise<{ url: string; stop(): Promise<void> }> {
  return { url: `http://${options.host}:${options.port}`, stop: async () => {} };
}
