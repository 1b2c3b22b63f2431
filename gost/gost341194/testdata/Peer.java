import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import org.bouncycastle.crypto.digests.GOST3411Digest;
import org.bouncycastle.crypto.macs.HMac;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.util.encoders.Hex;

/**
 * GOST R 34.11-94 by BouncyCastle. A line is "hash SBOX MESSAGE", "hmac KEY MESSAGE" (CryptoPro S-box) or
 * "pattern SBOX LENGTH" for the hash of LENGTH bytes 31*i+(i>>8), arguments in hex, "-" for no bytes. The answer is
 * hex.
 */
public class Peer {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "US-ASCII"), 1 << 16);
        PrintStream out = new PrintStream(System.out, false, "US-ASCII");
        for (String line; (line = in.readLine()) != null; ) {
            String[] w = line.split(" ");
            byte[] result = new byte[32];
            if (w[0].equals("hash")) {
                byte[] data = bytes(w[2]);
                GOST3411Digest d = new GOST3411Digest(bytes(w[1]));
                d.update(data, 0, data.length);
                d.doFinal(result, 0);
            } else if (w[0].equals("hmac")) {
                byte[] data = bytes(w[2]);
                HMac h = new HMac(new GOST3411Digest());
                h.init(new KeyParameter(bytes(w[1])));
                h.update(data, 0, data.length);
                h.doFinal(result, 0);
            } else if (w[0].equals("pattern")) {
                byte[] data = new byte[Integer.parseInt(w[2])];
                for (int i = 0; i < data.length; i++) {
                    data[i] = (byte) (31 * i + (i >> 8));
                }
                GOST3411Digest d = new GOST3411Digest(bytes(w[1]));
                d.update(data, 0, data.length);
                d.doFinal(result, 0);
            } else {
                throw new IllegalArgumentException(line);
            }
            out.print(Hex.toHexString(result) + "\n");
            out.flush();
        }
    }

    static byte[] bytes(String hex) {
        return hex.equals("-") ? new byte[0] : Hex.decode(hex);
    }
}
