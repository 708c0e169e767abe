FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The embedded PostgreSQL and its Node are for machines without either.
RUN npm ci --omit=dev --omit=optional
COPY src src
COPY sql sql
USER node
ENV PGCREDITS_HOST=0.0.0.0
EXPOSE 5678
ENTRYPOINT ["node", "src/cli.ts"]
CMD ["serve"]
