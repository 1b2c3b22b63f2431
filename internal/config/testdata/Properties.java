import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;

/** Reads each line of standard input, base64 of a file in UTF-8, as java.util.Properties and prints
 *  its sorted keys and values, each in hexadecimal of UTF-16, or "error". */
public class Properties {
    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream out = new PrintStream(System.out, true, "US-ASCII");
        for (String line; (line = in.readLine()) != null;) {
            String text = new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8);
            java.util.Properties p = new java.util.Properties();
            try {
                p.load(new StringReader(text));
            } catch (IllegalArgumentException e) {
                out.println("error");
                continue;
            }
            StringBuilder b = new StringBuilder();
            for (String key : new TreeSet<>(p.stringPropertyNames()))
                b.append(hex(key)).append('=').append(hex(p.getProperty(key))).append(';');
            out.println(b);
        }
    }

    static String hex(String s) {
        StringBuilder b = new StringBuilder();
        for (char c : s.toCharArray()) b.append(String.format("%04x", (int) c));
        return b.toString();
    }
}
