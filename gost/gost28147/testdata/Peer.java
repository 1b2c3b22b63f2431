import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import org.bouncycastle.crypto.BlockCipher;
import org.bouncycastle.crypto.CipherParameters;
import org.bouncycastle.crypto.InvalidCipherTextException;
import org.bouncycastle.crypto.StreamBlockCipher;
import org.bouncycastle.crypto.engines.CryptoProWrapEngine;
import org.bouncycastle.crypto.engines.GOST28147Engine;
import org.bouncycastle.crypto.engines.GOST28147WrapEngine;
import org.bouncycastle.crypto.macs.GOST28147Mac;
import org.bouncycastle.crypto.modes.CFBBlockCipher;
import org.bouncycastle.crypto.modes.GCFBBlockCipher;
import org.bouncycastle.crypto.modes.GOFBBlockCipher;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.crypto.params.ParametersWithIV;
import org.bouncycastle.crypto.params.ParametersWithSBox;
import org.bouncycastle.crypto.params.ParametersWithUKM;
import org.bouncycastle.util.encoders.Hex;

/**
 * GOST 28147-89 by BouncyCastle. A line is a command and its arguments in hex, "-" for no bytes:
 *
 *   sbox NAME                      the S-box of that name
 *   ecb+ SBOX KEY DATA             encrypt; ecb- decrypts
 *   MODE+ SBOX KEY IV DATA         encrypt with cfb, gcfb or gofb; MODE- decrypts
 *   mac SBOX KEY IV DATA           IV "-" for none
 *   wrap SBOX KEK UKM CEK          also cpwrap; unwrap and cpunwrap take the wrapped key for CEK
 *
 * The answer is hex, or "refused" for a wrapped key with a wrong MAC.
 */
public class Peer {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "US-ASCII"), 1 << 16);
        PrintStream out = new PrintStream(System.out, false, "US-ASCII");
        for (String line; (line = in.readLine()) != null; ) {
            String[] w = line.split(" ");
            String answer = w[0].equals("sbox")
                    ? Hex.toHexString(GOST28147Engine.getSBox(w[1]))
                    : answer(w);
            out.print(answer.isEmpty() ? "-\n" : answer + "\n");
            out.flush();
        }
    }

    static byte[] bytes(String hex) {
        return hex.equals("-") ? new byte[0] : Hex.decode(hex);
    }

    static String answer(String[] w) throws Exception {
        CipherParameters key = new ParametersWithSBox(new KeyParameter(bytes(w[2])), bytes(w[1]));
        boolean encrypt = w[0].endsWith("+");
        switch (w[0]) {
            case "ecb+":
            case "ecb-": {
                byte[] data = bytes(w[3]);
                BlockCipher c = new GOST28147Engine();
                c.init(encrypt, key);
                for (int i = 0; i < data.length; i += 8) {
                    c.processBlock(data, i, data, i);
                }
                return Hex.toHexString(data);
            }
            case "cfb+":
            case "cfb-":
                return stream(new CFBBlockCipher(new GOST28147Engine(), 64), encrypt, key, w);
            case "gcfb+":
            case "gcfb-":
                return stream(new GCFBBlockCipher(new GOST28147Engine()), encrypt, key, w);
            case "gofb+":
            case "gofb-":
                return stream(new GOFBBlockCipher(new GOST28147Engine()), encrypt, key, w);
            case "mac": {
                GOST28147Mac mac = new GOST28147Mac();
                byte[] data = bytes(w[4]);
                byte[] tag = new byte[mac.getMacSize()];
                mac.init(w[3].equals("-") ? key : new ParametersWithIV(key, bytes(w[3])));
                mac.update(data, 0, data.length);
                mac.doFinal(tag, 0);
                return Hex.toHexString(tag);
            }
            case "wrap":
            case "cpwrap":
            case "unwrap":
            case "cpunwrap": {
                boolean wrapping = w[0].endsWith("wrap") && !w[0].endsWith("unwrap");
                GOST28147WrapEngine e = w[0].startsWith("cp") ? new CryptoProWrapEngine() : new GOST28147WrapEngine();
                e.init(wrapping, new ParametersWithUKM(key, bytes(w[3])));
                byte[] data = bytes(w[4]);
                try {
                    return Hex.toHexString(wrapping ? e.wrap(data, 0, data.length) : e.unwrap(data, 0, data.length));
                } catch (InvalidCipherTextException | IllegalStateException bad) {
                    return "refused";
                }
            }
            default:
                throw new IllegalArgumentException(w[0]);
        }
    }

    static String stream(StreamBlockCipher c, boolean encrypt, CipherParameters key, String[] w) {
        byte[] data = bytes(w[4]);
        c.init(encrypt, new ParametersWithIV(key, bytes(w[3])));
        c.processBytes(data, 0, data.length, data, 0);
        return Hex.toHexString(data);
    }
}
