package example;

import com.google.gson.Gson;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;

/** A small HTTP service: the JDK's own server, and one library to write JSON. */
public final class Main {
  private static final String GREETING = "Hello from Java";

  private Main() {}

  /** Serves on the port that the environment names, or 8080. */
  public static void main(String[] arguments) throws IOException {
    int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "8080"));
    Gson gson = new Gson();
    HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
    server.createContext(
        "/",
        exchange -> {
          Map<String, Object> answer = new TreeMap<>();
          answer.put("message", GREETING);
          answer.put("java", System.getProperty("java.version"));
          answer.put("user", System.getProperty("user.name"));
          byte[] body = gson.toJson(answer).getBytes(StandardCharsets.UTF_8);
          exchange.getResponseHeaders().set("Content-Type", "application/json");
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.start();
    System.out.println("listening on " + port);
  }
}
