// Wicket with nothing but Java 17 or newer: a streamed answer through java.net.http.
//   WICKET_API_KEY=wk-… java examples/Chat.java "What is the capital of France?"
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

public class Chat {
    // Only what a chunk's delta says; a program of yours would use its JSON library here.
    private static final Pattern CONTENT = Pattern.compile("\"content\":\\s*\"((?:[^\"\\\\]|\\\\.)*)\"");
    private static final Pattern ESCAPED = Pattern.compile("\\\\u([0-9a-fA-F]{4})");

    public static void main(String[] arguments) throws Exception {
        String url = System.getenv().getOrDefault("WICKET_URL", "http://127.0.0.1:4242");
        String model = System.getenv().getOrDefault("MODEL", "mini");
        String question = arguments.length > 0 ? arguments[0] : "What is the capital of France?";
        String body = "{\"model\": " + quote(model) + ", \"stream\": true, \"temperature\": 0, \"max_tokens\": 200,"
            + " \"messages\": [{\"role\": \"user\", \"content\": " + quote(question) + "}]}";

        HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/v1/chat/completions"))
            .header("Authorization", "Bearer " + System.getenv("WICKET_API_KEY"))
            .header("Content-Type", "application/json")
            .timeout(Duration.ofMinutes(5))
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        var response = client.send(request, BodyHandlers.ofLines());
        if (response.statusCode() != 200) {
            System.err.println(response.statusCode() + " " + response.body().collect(Collectors.joining("\n")));
            System.exit(1);
        }
        response.body().filter(line -> line.startsWith("data: ")).forEach(Chat::show);
        System.out.println();
    }

    private static void show(String line) {
        var match = CONTENT.matcher(line);
        if (match.find()) {
            System.out.print(unquote(match.group(1)));
            System.out.flush();
        }
    }

    private static String quote(String text) {
        String escaped = text.replace("\\", "\\\\").replace("\"", "\\\"");
        return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"';
    }

    private static String unquote(String text) {
        String plain = ESCAPED.matcher(text).replaceAll(
            match -> java.util.regex.Matcher.quoteReplacement(
                String.valueOf((char) Integer.parseInt(match.group(1), 16))));
        return plain.replace("\\/", "/").translateEscapes();
    }
}
