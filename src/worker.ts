export async function startWorker(_options: {
  connectionString: string;
  log?: (line: string) => void;
}): Promise<{ stop(): Promise<void> }> {
  return { stop: async () => {} };
}
