export const dynamic = 'force-dynamic';

export default function Page() {
  return (
    <main>
      <h1>Hello from Next.js</h1>
      <p>API: {process.env.NEXT_PUBLIC_API_URL || 'none'}</p>
      <p>Rendered by Node {process.version}</p>
    </main>
  );
}
