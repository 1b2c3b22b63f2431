import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.util.encoders.Hex;

/** Answers "hash TEXT" with the SHA-256 of the text, "die" by dying, and all else with the same line. */
public class Echo {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            if (line.equals("die")) {
                throw new IllegalStateException("asked to die");
            }
            if (line.startsWith("hash ")) {
                byte[] msg = line.substring(5).getBytes(StandardCharsets.UTF_8);
                SHA256Digest d = new SHA256Digest();
                d.update(msg, 0, msg.length);
                byte[] sum = new byte[32];
                d.doFinal(sum, 0);
                line = Hex.toHexString(sum);
            }
            out.print(line + "\n");
            out.flush();
        }
    }
}
