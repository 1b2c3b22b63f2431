import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.cms.CMSAttributes;
import org.bouncycastle.asn1.cms.Time;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.SignerInformationVerifier;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.util.Store;
import org.bouncycastle.util.encoders.Hex;

/**
 * What a site would have without Imzo: the HttpServer of the JDK, and
 * BouncyCastle's CMS. It verifies attached documents as
 * /backend/pkcs7/verify/attached does: content digest, signature, the chain of
 * the signer up to a root, every certificate that rides along, the timestamp
 * token with its imprint, signature and chain, key usages and dates; and it
 * answers with the facts. Left out is revocation, whose answers the other
 * server has at hand.
 *
 * <pre>
 * java StandIn ROOT.pem
 *
 * POST /verify                 the document in base64
 * POST /verify?chains=cached   signatures of certificates are checked once
 * </pre>
 *
 * It prints "port NUMBER" and its versions, and leaves when standard input ends.
 */
public class StandIn {
    static final BouncyCastleProvider BC = new BouncyCastleProvider();

    /** Who issued a certificate and whether that was right, by both encodings. */
    static final Map<String, Boolean> KNOWN = new ConcurrentHashMap<>();

    final X509CertificateHolder root;
    final ContentVerifierProvider rootKey;

    StandIn(X509CertificateHolder root) throws Exception {
        this.root = root;
        this.rootKey = keyOf(root);
    }

    static ContentVerifierProvider keyOf(X509CertificateHolder c) throws Exception {
        return new JcaContentVerifierProviderBuilder().setProvider(BC).build(c);
    }

    static void require(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException(what);
        }
    }

    /** One request: the certificates at hand and what is known of them already. */
    final class Verification {
        final boolean cached;
        final Map<Object, X509CertificateHolder> bySubject = new HashMap<>();
        final Set<X509CertificateHolder> sound = new HashSet<>();
        final Set<X509CertificateHolder> all = new HashSet<>();

        Verification(boolean cached) {
            this.cached = cached;
            bySubject.put(root.getSubject(), root);
        }

        void add(Store<X509CertificateHolder> bag) {
            for (X509CertificateHolder c : bag.getMatches(null)) {
                all.add(c);
                bySubject.putIfAbsent(c.getSubject(), c);
            }
        }

        /** The path from a certificate to the root, each one valid at a date. */
        List<X509CertificateHolder> path(X509CertificateHolder leaf, Date at) throws Exception {
            List<X509CertificateHolder> path = new ArrayList<>();
            X509CertificateHolder c = leaf;
            while (true) {
                require(c.isValidOn(at), "certificate out of date");
                path.add(c);
                if (c.equals(root)) {
                    return path;
                }
                require(path.size() < 8, "path too long");
                X509CertificateHolder issuer = bySubject.get(c.getIssuer());
                require(issuer != null, "no issuer");
                BasicConstraints constraints = BasicConstraints.fromExtensions(issuer.getExtensions());
                require(constraints != null && constraints.isCA(), "issuer is no CA");
                KeyUsage usage = KeyUsage.fromExtensions(issuer.getExtensions());
                require(usage == null || usage.hasUsages(KeyUsage.keyCertSign), "issuer may not sign certificates");
                signed(c, issuer);
                c = issuer;
            }
        }

        /** Checks the signature of a certificate, once a request. */
        void signed(X509CertificateHolder c, X509CertificateHolder issuer) throws Exception {
            if (!sound.add(c)) {
                return;
            }
            String pair = null;
            if (cached) {
                MessageDigest d = MessageDigest.getInstance("SHA-256");
                pair = Hex.toHexString(d.digest(c.getEncoded())) + Hex.toHexString(d.digest(issuer.getEncoded()));
                if (KNOWN.containsKey(pair)) {
                    return;
                }
            }
            require(c.isSignatureValid(issuer.equals(root) ? rootKey : keyOf(issuer)), "wrong signature of a certificate");
            if (cached) {
                KNOWN.put(pair, true);
            }
        }
    }

    String verify(byte[] document, boolean cached) throws Exception {
        CMSSignedData data = new CMSSignedData(document);
        Verification v = new Verification(cached);
        v.add(data.getCertificates());
        StringBuilder json = new StringBuilder(8192).append("{\"pkcs7Info\":{\"signers\":[");
        Collection<SignerInformation> signers = data.getSignerInfos().getSigners();
        require(!signers.isEmpty(), "no signer");
        int number = 0;
        for (SignerInformation signer : signers) {
            if (number++ > 0) {
                json.append(',');
            }
            signer(v, data, signer, json);
        }
        // What no path needed must be right as well.
        for (X509CertificateHolder c : v.all) {
            if (!c.equals(root) && !v.sound.contains(c)) {
                X509CertificateHolder issuer = v.bySubject.get(c.getIssuer());
                require(issuer != null, "unknown certificate");
                v.signed(c, issuer);
            }
        }
        byte[] content = (byte[]) data.getSignedContent().getContent();
        json.append("],\"documentBase64\":\"").append(Base64.getEncoder().encodeToString(content)).append("\"},");
        return json.append("\"status\":1,\"message\":\"\"}").toString();
    }

    @SuppressWarnings("unchecked")
    static X509CertificateHolder one(Store<X509CertificateHolder> bag, Object selector) {
        Collection<X509CertificateHolder> found = bag.getMatches((org.bouncycastle.util.Selector<X509CertificateHolder>) selector);
        require(found.size() == 1, "signer's certificate is not there once");
        return found.iterator().next();
    }

    void signer(Verification v, CMSSignedData data, SignerInformation signer, StringBuilder json) throws Exception {
        X509CertificateHolder c = one(data.getCertificates(), signer.getSID());
        SignerInformationVerifier verifier = new JcaSimpleSignerInfoVerifierBuilder().setProvider(BC).build(c);
        require(signer.verify(verifier), "wrong signature");

        Date at = new Date();
        Attribute claimed = signer.getSignedAttributes() == null ? null : signer.getSignedAttributes().get(CMSAttributes.signingTime);
        Date signingTime = claimed == null ? null : Time.getInstance(claimed.getAttrValues().getObjectAt(0)).getDate();
        if (signingTime != null) {
            at = signingTime;
        }
        StringBuilder stamp = new StringBuilder();
        AttributeTable unsigned = signer.getUnsignedAttributes();
        Attribute tokens = unsigned == null ? null : unsigned.get(PKCSObjectIdentifiers.id_aa_signatureTimeStampToken);
        if (tokens != null) {
            for (ASN1Encodable token : tokens.getAttributeValues()) {
                at = timestamp(v, signer, token.toASN1Primitive().getEncoded(), stamp);
            }
        }
        List<X509CertificateHolder> path = v.path(c, at);
        KeyUsage usage = KeyUsage.fromExtensions(c.getExtensions());
        require(usage == null || usage.hasUsages(KeyUsage.digitalSignature) || usage.hasUsages(KeyUsage.nonRepudiation), "key may not sign");

        json.append("{\"signerId\":{\"issuer\":").append(quoted(c.getIssuer().toString()));
        json.append(",\"subjectSerialNumber\":\"").append(c.getSerialNumber().toString(16)).append("\"}");
        if (signingTime != null) {
            json.append(",\"signingTime\":\"").append(signingTime.toInstant()).append('"');
        }
        json.append(",\"signature\":\"").append(Hex.toHexString(signer.getSignature())).append('"');
        json.append(",\"digest\":\"").append(Hex.toHexString(signer.getContentDigest())).append('"');
        if (stamp.length() > 0) {
            json.append(",\"timeStampInfo\":{").append(stamp).append('}');
        }
        json.append(",\"certificate\":");
        certificates(path, json);
        json.append(",\"verified\":true,\"certificateVerified\":true,\"trustedCertificate\":");
        certificate(root, json);
        json.append(",\"certificateValidAtSigningTime\":true}");
    }

    /** Verifies a token over the signer's signature, and returns its time. */
    Date timestamp(Verification v, SignerInformation signer, byte[] encoded, StringBuilder json) throws Exception {
        TimeStampToken token = new TimeStampToken(new CMSSignedData(encoded));
        v.add(token.getCertificates());
        X509CertificateHolder c = one(token.getCertificates(), token.getSID());
        // Signature, the purpose of the certificate, its validity at that time.
        token.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider(BC).build(c));
        String algorithm = token.getTimeStampInfo().getMessageImprintAlgOID().getId();
        byte[] imprint = MessageDigest.getInstance(algorithm, BC).digest(signer.getSignature());
        require(Arrays.equals(imprint, token.getTimeStampInfo().getMessageImprintDigest()), "timestamp of something else");
        Date at = token.getTimeStampInfo().getGenTime();
        List<X509CertificateHolder> path = v.path(c, at);
        json.append("\"certificate\":");
        certificates(path, json);
        json.append(",\"digestVerified\":true,\"certificateVerified\":true,\"time\":\"").append(at.toInstant()).append('"');
        json.append(",\"serialNumber\":\"").append(token.getTimeStampInfo().getSerialNumber().toString(16)).append('"');
        json.append(",\"tsaPolicy\":\"").append(token.getTimeStampInfo().getPolicy().getId()).append('"');
        json.append(",\"messageImprintAlgOID\":\"").append(algorithm).append('"');
        json.append(",\"messageImprintDigest\":\"").append(Hex.toHexString(imprint)).append("\",\"verified\":true");
        return at;
    }

    static void certificates(List<X509CertificateHolder> path, StringBuilder json) throws IOException {
        json.append('[');
        for (int i = 0; i < path.size(); i++) {
            if (i > 0) {
                json.append(',');
            }
            certificate(path.get(i), json);
        }
        json.append(']');
    }

    static void certificate(X509CertificateHolder c, StringBuilder json) throws IOException {
        json.append("{\"serialNumber\":\"").append(c.getSerialNumber().toString(16));
        json.append("\",\"subjectName\":").append(quoted(c.getSubject().toString()));
        json.append(",\"validFrom\":\"").append(c.getNotBefore().toInstant());
        json.append("\",\"validTo\":\"").append(c.getNotAfter().toInstant());
        json.append("\",\"issuerName\":").append(quoted(c.getIssuer().toString()));
        json.append(",\"publicKey\":\"").append(Base64.getEncoder().encodeToString(c.getSubjectPublicKeyInfo().getEncoded()));
        json.append("\",\"signature\":\"").append(Hex.toHexString(c.getSignature())).append("\"}");
    }

    static String quoted(String s) {
        StringBuilder out = new StringBuilder(s.length() + 2).append('"');
        for (int i = 0; i < s.length(); i++) {
            char ch = s.charAt(i);
            if (ch == '"' || ch == '\\') {
                out.append('\\');
            }
            out.append(ch < ' ' ? ' ' : ch);
        }
        return out.append('"').toString();
    }

    void handle(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        byte[] reply;
        try {
            boolean cached = "chains=cached".equals(exchange.getRequestURI().getQuery());
            reply = verify(Base64.getDecoder().decode(body), cached).getBytes(StandardCharsets.UTF_8);
        } catch (Exception e) {
            reply = ("{\"status\":-1,\"message\":" + quoted(e.toString()) + "}").getBytes(StandardCharsets.UTF_8);
        }
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(200, reply.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(reply);
        }
    }

    public static void main(String[] args) throws Exception {
        Security.addProvider(BC);
        X509Certificate root = (X509Certificate) CertificateFactory.getInstance("X.509", BC)
                .generateCertificate(new ByteArrayInputStream(Files.readAllBytes(Path.of(args[0]))));
        StandIn service = new StandIn(new X509CertificateHolder(root.getEncoded()));
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 1024);
        server.setExecutor(Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors()));
        server.createContext("/verify", service::handle);
        server.start();
        System.out.println("port " + server.getAddress().getPort());
        System.out.println("BouncyCastle " + BC.getVersionStr() + ", Java " + System.getProperty("java.version"));
        System.out.flush();
        while (System.in.read() >= 0) {
            // Until whoever started it is gone.
        }
        System.exit(0);
    }
}
