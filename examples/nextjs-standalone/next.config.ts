// next.config.ts
import type { NextConfig } from 'next';

const nextConfig: NextConfig = {
  output: 'standalone',  // ← これが重要
  // standaloneモードでは必要な依存関係だけが .next/standalone/ にコピーされる
};

export default nextConfig;
